// Loaded before a server's own code: it listens on this machine's loopback where it would on all addresses.
const { Server } = require("node:net");

const { listen } = Server.prototype;
Server.prototype.listen = function (port, ...others) {
  return listen.call(this, port, "127.0.0.1", ...others);
};
