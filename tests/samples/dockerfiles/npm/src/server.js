const path = require("node:path");
const express = require("express");

const app = express();
app.set("view engine", "ejs").set("views", path.join(__dirname, "../public"));
app.use("/files", express.static("public"));
app.get("/", (request, response) => response.render("page", { mode: process.env.NODE_ENV, user: process.getuid() }));
app.get("/date", (request, response) =>
  response.send(new Intl.DateTimeFormat("pl", { dateStyle: "full", timeZone: "Asia/Tokyo" }).format(new Date(0))));
app.listen(8000);
