'use strict';
// A kiosk of many small services: each path of the server is one of them.
const http = require('node:http');
const path = require('node:path');
const { execFileSync, execSync } = require('node:child_process');
const top = path.join(__dirname, '..');
const services = {
  knex: () => {
    const knex = require('knex');
    const made = ['pg', 'mysql2', 'better-sqlite3'].map((client) => {
      try { return knex({ client }).client.dialect; } catch (error) { return error.message.split('\n')[0]; }
    });
    const query = require('knex')({ client: require('knex/lib/dialects/sqlite3'), useNullAsDefault: true, connection: undefined, });
    return made.concat(query('a').where('b', '>', 1).join('c', 'c.id', 'a.c').toString()).join(' | ');
  },
  sqljs: async () => {
    const SQL = await require('sql.js')();
    const db = new SQL.Database();
    db.run('create table t(x); insert into t values (1),(41)');
    return String(db.exec('select sum(x) from t')[0].values[0][0]);
  },
  winston: () => new Promise((done) => {
    const winston = require('winston');
    const { Writable } = require('node:stream');
    const lines = [];
    const stream = new Writable({ write(chunk, _, next) { lines.push(String(chunk).trim()); next(); } });
    const logger = winston.createLogger({
      format: winston.format.combine(winston.format.colorize(), winston.format.splat(), winston.format.logstash()),
      transports: [new winston.transports.Stream({ stream })],
    });
    logger.info('n %d', 3);
    setTimeout(() => done(lines.join(' ')), 50);
  }),
  nunjucks: () => require('nunjucks').configure('views', { autoescape: true }).render('page.njk', { name: 'kiosk <x>' }),
  handlebars: () => {
    const bars = require('handlebars');
    bars.registerHelper('loud', (text) => text.toUpperCase());
    return bars.compile('{{#each list}}{{loud this}} {{/each}}')({ list: ['a', 'b'] });
  },
  ioredis: () => {
    const Redis = require('ioredis');
    const redis = new Redis({ lazyConnect: true, host: 'localhost' });
    return `${redis.status} ${typeof redis.hgetall} ${Object.keys(require('@ioredis/commands').list ? {} : {}).length}`;
  },
  moment: () => {
    const moment = require('moment-timezone');
    return moment.tz('2024-07-01T12:00:00Z', 'Europe/Zurich').locale('fr').format('LLLL z') + ' ' + moment.tz.names().length;
  },
  i18n: () => {
    const { I18n } = require('i18n');
    const i18n = new I18n({ locales: ['en', 'de'], directory: path.join(top, 'locales'), updateFiles: false });
    i18n.setLocale('de');
    return i18n.__('hello', 'Ada') + ' ' + i18n.__n('cat', 3);
  },
  pdf: () => new Promise((done) => {
    const Pdf = require('pdfkit');
    const pdf = new Pdf({ compress: false, info: { CreationDate: new Date(0) } });
    const parts = [];
    pdf.on('data', (part) => parts.push(part)).on('end', () => done(Buffer.concat(parts).toString('latin1').match(/%PDF-[\d.]+|\/BaseFont \/[\w-]+/g).join(' ')));
    pdf.font('Times-Italic').text('Hello');
    pdf.font('Courier').text('x');
    pdf.end();
  }),
  jsdom: () => {
    const { JSDOM } = require('jsdom');
    const { window } = new JSDOM('<ul><li>a<li class=x>b</ul><script>document.title = String(1 + 2)</script>', { runScripts: 'dangerously' });
    return window.document.querySelector('li.x').textContent + window.document.title + window.getComputedStyle(window.document.querySelector('ul')).display;
  },
  yargs: async () => {
    const help = await require('yargs')([]).locale('de').command('serve', 'starts').option('port', { type: 'number' }).getHelp();
    return help.split('\n').slice(0, 8).join('/');
  },
  mail: async () => {
    const mail = require('nodemailer').createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
    const sent = await mail.sendMail({ from: 'a@x.io', to: 'b@x.io', subject: 'Grüße', text: 'é', messageId: '<1@x>', date: new Date(0),
      attachments: [{ path: path.join(top, 'package.json') }] });
    return sent.message.toString().match(/Subject.*|Content-Type: application.*/g).join(' ');
  },
  iconv: () => {
    const iconv = require('iconv-lite');
    return ['shiftjis', 'gb18030', 'cp437', 'big5', 'utf-7'].map((name) => iconv.encode('日é', name).toString('hex')).join(' ');
  },
  child: () => execSync('printf "b\\na\\n" | sort | head -n1').toString().trim() + execFileSync('uname', ['-s']).toString().trim(),
  tls: async (query) => {
    const answer = await fetch(query.get('url'));
    return answer.text();
  },
  intl: () => new Date(0).toLocaleDateString('pl', { timeZone: 'UTC', dateStyle: 'full' }) + ' ' + new Intl.NumberFormat('hi').format(1234567),
  worker: () => new Promise((done) => {
    const { Worker } = require('node:worker_threads');
    new Worker(path.join(__dirname, 'counter.js'), { workerData: 5 }).on('message', (said) => done(String(said)));
  }),
  migrations: async () => {
    const files = await require('node:fs/promises').readdir('./migrations');
    return files.map((file) => typeof require(path.resolve('migrations', file)).up).join();
  },
};
http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const service = services[url.pathname.slice(1)];
  try {
    response.statusCode = service ? 200 : 404;
    response.end(service ? await service(url.searchParams) : 'no such kiosk');
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  }
}).listen(8000, '127.0.0.1');
