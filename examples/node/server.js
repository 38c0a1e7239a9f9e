// SPDX-License-Identifier: MIT
"use strict";
const http = require("http");
const os = require("os");
const ms = require("ms");

const started = Date.now();
let stopping = false;

const server = http.createServer((req, res) => {
  console.log(`${req.method} ${req.url}`);
  req.resume();
  if (stopping) {
    res.setHeader("Connection", "close");
  }
  res.setHeader("Content-Type", "text/plain; charset=utf-8");
  res.end(
    `release: ${process.env.DEIS_RELEASE || "none"}\n` +
      `host: ${os.hostname()}\n` +
      `powered by: ${process.env.POWERED_BY || "Deis"}\n` +
      `up: ${ms(Date.now() - started)}\n`
  );
});

server.keepAliveTimeout = 75000;
server.listen(process.env.PORT || 5000, () => console.log("listening"));

// Requests under way are finished, idle connections closed, then the process ends.
process.on("SIGTERM", () => {
  stopping = true;
  server.close(() => process.exit(0));
  setTimeout(() => server.closeIdleConnections(), 300);
});
