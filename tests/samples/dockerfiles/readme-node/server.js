const express = require("express");

express().get("/", (request, response) => response.send("hello from Node\n")).listen(8000);
