// SPDX-License-Identifier: MIT
// As much of protobuf as proto/*.proto needs: a schema is {field number: [name, type]}, type one of
// 'string', 'bytes', 'uint', 'sint', 'bool', or a schema; a third item true means repeated.

function varint(n) {
  const out = [];
  let rest = BigInt(n);
  do {
    out.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(out);
}

function readVarint(buffer, at) {
  let n = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = buffer[at.pos++];
    n |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) {
      return Number(n);
    }
  }
}

function encodeValue(type, number, value) {
  if (type === 'uint' || type === 'bool') {
    return Buffer.concat([varint(number << 3), varint(Number(value))]);
  }
  if (type === 'sint') {
    return Buffer.concat([varint(number << 3), varint(value < 0 ? -2 * value - 1 : 2 * value)]);
  }
  const bytes = typeof type === 'object' ? encode(type, value) : Buffer.from(value);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

export function encode(schema, message) {
  const parts = [];
  for (const [number, [name, type, repeated]] of Object.entries(schema)) {
    const value = message[name];
    if (value !== undefined && value !== null) {
      for (const one of repeated ? value : [value]) {
        parts.push(encodeValue(type, Number(number), one));
      }
    }
  }
  return Buffer.concat(parts);
}

function convert(type, raw) {
  switch (type) {
    case 'string': return raw.toString('utf8');
    case 'bytes': return raw;
    case 'bool': return raw !== 0;
    case 'uint': return raw;
    case 'sint': return raw % 2 === 1 ? -(raw + 1) / 2 : raw / 2;
    default: return decode(type, raw);
  }
}

const empty = { string: '', uint: 0, sint: 0, bool: false };

export function decode(schema, buffer) {
  const message = {};
  for (const [name, type, repeated] of Object.values(schema)) {
    message[name] = repeated ? [] : type === 'bytes' ? Buffer.alloc(0) : empty[type];
  }
  for (const at = { pos: 0 }; at.pos < buffer.length;) {
    const tag = readVarint(buffer, at);
    let raw = readVarint(buffer, at);
    if ((tag & 7) === 2) {
      at.pos += raw;
      raw = buffer.subarray(at.pos - raw, at.pos);
    }
    const field = schema[tag >> 3];
    if (field && field[2]) {
      message[field[0]].push(convert(field[1], raw));
    } else if (field) {
      message[field[0]] = convert(field[1], raw);
    }
  }
  return message;
}
