from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates

pages = Jinja2Templates("templates")


async def page(request):
    return pages.TemplateResponse(request, "page.html", {"who": request.query_params.get("who", "nobody")})


async def count(request):
    return JSONResponse({"letters": len(request.path_params["word"])})


app = Starlette(routes=[Route("/", page), Route("/count/{word}", count)])
