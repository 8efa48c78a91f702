"""A desk of many small services: each path of the server is one of them."""
import hashlib
import io
import json
import os
import socketserver
import urllib.parse
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


def digest(data):
    return hashlib.sha256(data).hexdigest()


def database(_):
    from sqlalchemy import Column, Integer, String, create_engine, select
    from sqlalchemy.orm import Session, declarative_base
    base = declarative_base()

    class Person(base):
        __tablename__ = "person"
        id = Column(Integer, primary_key=True)
        name = Column(String)
    engine = create_engine("sqlite://")
    base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Person(name="Ada"), Person(name="Grace")])
        session.commit()
        return ",".join(session.scalars(select(Person.name).order_by(Person.name)))


def cloud(_):
    import boto3
    from botocore.stub import Stubber
    client = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stub:
        stub.add_response("list_tables", {"TableNames": ["tab1"]})
        return client.list_tables()["TableNames"][0] + " " + client.meta.endpoint_url


def presigned(_):
    import boto3
    client = boto3.client("s3", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="y")
    return client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}).split("?")[0]


def plot(_):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots()
    axes.plot([1, 4, 9], label="$x^2$")
    axes.set_title("Übersicht")
    axes.legend()
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()[1:4].decode() + " " + digest(out.getvalue())


def vector(_):
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "one"
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots()
    axes.bar(["a", "b"], [1, 2])
    svg, pdf = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    figure.savefig(pdf, format="pdf")
    return f"{svg.getvalue().count(b'<path')} paths, {pdf.getvalue()[:5].decode()}"


def picture(_):
    from PIL import Image, ImageDraw, ImageFont
    image = Image.new("RGB", (80, 40), "white")
    ImageDraw.Draw(image).text((4, 4), "slim", fill="black", font=ImageFont.load_default())
    sizes = []
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "GIF"):
        out = io.BytesIO()
        image.save(out, kind)
        sizes.append(f"{kind}{Image.open(io.BytesIO(out.getvalue())).size}")
    return " ".join(sizes)


def xml(_):
    from lxml import etree, objectify
    from lxml.isoschematron import Schematron
    tree = etree.fromstring("<a><b n='2'/><b n='1'/></a>")
    sheet = etree.XSLT(etree.fromstring(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:output method="text"/>'
        '<xsl:template match="/"><xsl:for-each select="//b"><xsl:sort select="@n"/><xsl:value-of select="@n"/>'
        '</xsl:for-each></xsl:template></xsl:stylesheet>'))
    rule = etree.fromstring('<schema xmlns="http://purl.oclc.org/dsdl/schematron"><pattern><rule context="a">'
                            '<assert test="count(b)=2">two</assert></rule></pattern></schema>')
    return f"{sheet(tree)} {Schematron(rule).validate(tree)} {objectify.fromstring('<r><v>3</v></r>').v + 1}"


def soup(_):
    from bs4 import BeautifulSoup
    text = "<p>Eins<p>Zw&ouml;lf<table><td>x"
    return " | ".join(BeautifulSoup(text, parser).get_text(",") for parser in ("html.parser", "lxml", "html5lib"))


def queue(_):
    from celery import Celery
    app = Celery("desk", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True

    @app.task(name="desk.add")
    def add(one, two):
        return one + two
    return f"{add.delay(2, 3).get()} {app.connection().transport_cls} {sorted(app.tasks)[0]}"


def learn(_):
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_score
    data = load_iris()
    model = RandomForestClassifier(n_estimators=10, random_state=1)
    return f"{cross_val_score(model, data.data, data.target, cv=3).mean():.3f}"


def cluster(_):
    import numpy
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.manifold import TSNE
    words = TfidfVectorizer(stop_words="english").fit_transform(["the cat sat", "a dog ran", "the cat ran"])
    points = numpy.array([[0, 0], [0, 1], [9, 9], [9, 8]])
    TSNE(perplexity=2, random_state=1, init="random").fit_transform(points.astype(float))
    return f"{words.shape} {len(set(KMeans(2, n_init=3, random_state=1).fit(points).labels_))}"


def zones(_):
    import datetime
    import zoneinfo
    import pytz
    day = datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.timezone.utc)
    return f"{day.astimezone(pytz.timezone('Asia/Tokyo')):%H %Z} {day.astimezone(zoneinfo.ZoneInfo('America/Lima')):%H}"


def words(_):
    import datetime
    from babel.dates import format_datetime
    from babel.numbers import format_currency
    from babel.units import format_unit
    day = datetime.datetime(2024, 2, 29, 13, 5)
    return " | ".join([format_datetime(day, "EEEE, d. MMMM y", locale="de_CH"), format_datetime(day, locale="ja"),
                       format_currency(1234.5, "EUR", locale="fr_FR"), format_unit(3, "length-meter", locale="pl")])


def letters(_):
    import gettext
    from jinja2 import Environment, FileSystemLoader
    env = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], loader=FileSystemLoader("."))
    env.install_gettext_translations(gettext.translation("messages", "locales", ["de"]), newstyle=True)
    return env.from_string("{{ _('Good morning') }}: {{ ngettext('%(num)d letter', '%(num)d letters', 3) }}").render()


def pool(_):
    import multiprocessing
    from work import square
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        return str(workers.map(square, range(4)))


def futures(_):
    from concurrent.futures import ProcessPoolExecutor
    from work import square
    with ProcessPoolExecutor(2) as workers:
        return str(list(workers.map(square, [5, 6])))


def shell(_):
    import subprocess
    one = subprocess.run("printf '%s\\n' c a b | sort | head -n 1", shell=True, capture_output=True, text=True)
    two = subprocess.check_output(["uname", "-s"], text=True)
    return f"{one.stdout.strip()} {two.strip()} {os.popen('basename /x/y').read().strip()}"


def places(_):
    import ctypes
    import ctypes.util
    import locale
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    math = ctypes.CDLL(ctypes.util.find_library("m"))
    math.cos.restype = ctypes.c_double
    z = ctypes.CDLL("libz.so.1")
    z.zlibVersion.restype = ctypes.c_char_p
    return f"{locale.nl_langinfo(locale.CODESET)} {math.cos(ctypes.c_double(0.0))} {z.zlibVersion().decode()[0]}"


def sealed(_):
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    key.public_key().verify(key.sign(b"x", ec.ECDSA(hashes.SHA256())), b"x", ec.ECDSA(hashes.SHA256()))
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).split(b"\n")[0].decode().replace("-", "")


def tls(query):
    import requests
    import urllib.request
    url = query["url"][0]
    return requests.get(url, timeout=9).text + " " + urllib.request.urlopen(url, timeout=9).read().decode()


def versions(_):
    from importlib.metadata import entry_points, version
    found = sorted(point.name for point in entry_points(group="celery.result_backends"))
    return f"{version('SQLAlchemy').split('.')[0]} {len(found)} {bool(entry_points(group='console_scripts'))}"


def codecs(_):
    return " ".join(["ä".encode("cp1252").hex(), "日".encode("shift_jis").hex(), "bücher.de".encode("idna").decode(),
                     json.dumps("x".encode("utf-16-le").hex())])


def archive(_):
    import bz2
    import lzma
    import sqlite3
    import tarfile
    import zlib
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as tar:
        tar.addfile(tarfile.TarInfo("a"), io.BytesIO())
    memory = sqlite3.connect(":memory:")
    memory.execute("create virtual table t using fts5(x)")
    return f"{out.getvalue()[1:4].decode()} {len(bz2.compress(b'x'))} {lzma.is_check_supported(4)} {zlib.crc32(b'x')}"


PATHS = {f"/{one.__name__}": one for one in (
    database, cloud, presigned, plot, vector, picture, xml, soup, queue, learn, cluster, zones, words, letters, pool,
    futures, shell, places, sealed, tls, versions, codecs, archive)}


def answer(environ, start):
    found = PATHS.get(environ["PATH_INFO"])
    if not found:
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such desk"]
    try:
        text, status = found(urllib.parse.parse_qs(environ["QUERY_STRING"])), "200 OK"
    except Exception as error:
        import traceback
        traceback.print_exc()
        text, status = f"{type(error).__name__}: {error}", "500 Error"
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode()]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


if __name__ == "__main__":
    make_server("127.0.0.1", 8000, answer, Server, Quiet).serve_forever()
