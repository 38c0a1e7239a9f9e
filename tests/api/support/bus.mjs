// SPDX-License-Identifier: MIT
// The server's side of the bus as proto/README.md describes it: nanomsg's REP over TCP, sealed frames.
import { createServer } from 'node:net';
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { decode, encode } from './protobuf.mjs';

const REQUEST = { 1: ['method', 'string'], 2: ['operation', 'string'], 3: ['payload', 'bytes'] };
const ANSWER = { 1: ['code', 'sint'], 2: ['message', 'string'], 3: ['payload', 'bytes'] };
const NAME_AT = 30;
const TAG = 16;

// What a method throws to answer with a failure; code as in lib/base/err.h.
export class BusFailure extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export const UNAVAILABLE = -7;
export const NOT_FOUND = -2;

function derive(key, boot) {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(32), Buffer.concat([Buffer.from('bus\0'), boot]), 32));
}

function nonce(counter) {
  return Buffer.concat([Buffer.alloc(4), counter]);
}

export class BusServer {
  // methods: {"logger.read": {request: schema, answer: schema, handle: async (message) => message}}
  static listen(key, name, methods) {
    const server = new BusServer();
    server.key = key;
    server.methods = methods;
    server.boot = randomBytes(8);
    server.sealKey = derive(key, server.boot);
    server.counter = 0n;
    server.sockets = new Set();
    server.running = new Map();
    server.head = Buffer.concat([
      Buffer.from([1]), createHash('sha256').update(key).digest().subarray(0, 4), server.boot,
      Buffer.alloc(8), randomBytes(8), Buffer.from([name.length]), Buffer.from(name),
    ]);
    server.tcp = createServer((socket) => server.serve(socket));
    return new Promise((resolve) => {
      server.tcp.listen(0, '127.0.0.1', () => {
        server.address = `tcp://127.0.0.1:${server.tcp.address().port}`;
        resolve(server);
      });
    });
  }

  close() {
    this.tcp.close();
    for (const socket of this.sockets) {
      socket.destroy();
    }
  }

  serve(socket) {
    let rest = Buffer.alloc(0);
    let greeted = false;
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    socket.write(Buffer.from([0, 0x53, 0x50, 0, 0, 49, 0, 0]));
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      if (!greeted && rest.length >= 8) {
        greeted = true;
        rest = rest.subarray(8);
      }
      while (greeted && rest.length >= 8 && rest.length >= 8 + Number(rest.readBigUInt64BE())) {
        const size = Number(rest.readBigUInt64BE());
        this.take(socket, rest.subarray(8, 12), rest.subarray(12, 8 + size));
        rest = rest.subarray(8 + size);
      }
    });
  }

  async take(socket, route, frame) {
    const bodyAt = NAME_AT + frame[29];
    const boot = frame.subarray(5, 13);
    const counter = frame.subarray(13, 21);
    const decipher = createDecipheriv('aes-256-gcm', derive(this.key, boot), nonce(counter));
    decipher.setAAD(Buffer.concat([frame.subarray(0, bodyAt), Buffer.from([0])]));
    decipher.setAuthTag(frame.subarray(frame.length - TAG));
    const plain = Buffer.concat([decipher.update(frame.subarray(bodyAt, frame.length - TAG)), decipher.final()]);
    const answer = await this.answer(decode(REQUEST, plain));
    if (!socket.destroyed) {
      this.send(socket, route, answer, boot, counter);
    }
  }

  // A repeat of an operation that is under way or done gets the same answer.
  answer(request) {
    const id = `${request.method} ${request.operation}`;
    if (!this.running.has(id)) {
      this.running.set(id, this.run(request));
    }
    return this.running.get(id);
  }

  async run(request) {
    const method = this.methods[request.method];
    try {
      if (!method) {
        throw new BusFailure(NOT_FOUND, `no method '${request.method}'`);
      }
      const message = await method.handle(decode(method.request, request.payload));
      return { code: 0, payload: encode(method.answer, message) };
    } catch (error) {
      if (!(error instanceof BusFailure)) {
        throw error;
      }
      return { code: error.code, message: error.message };
    }
  }

  send(socket, route, answer, boot, counter) {
    const head = Buffer.from(this.head);
    this.counter += 1n;
    head.writeBigUInt64BE(this.counter, 13);
    const cipher = createCipheriv('aes-256-gcm', this.sealKey, nonce(head.subarray(13, 21)));
    cipher.setAAD(Buffer.concat([head, Buffer.from([1]), boot, counter]));
    const body = Buffer.concat([cipher.update(encode(ANSWER, answer)), cipher.final()]);
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(route.length + head.length + body.length + TAG));
    socket.write(Buffer.concat([size, route, head, body, cipher.getAuthTag()]));
  }
}
