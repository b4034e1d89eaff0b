// packages/protocol/src/errors.ts
var SyncError = class extends Error {
};
var DecodeError = class extends SyncError {
  name = "DecodeError";
  code = "DECODE";
  retry = "never";
};
var LimitError = class extends SyncError {
  constructor(message, limit, value, options) {
    super(message, options);
    this.limit = limit;
    this.value = value;
  }
  limit;
  value;
  name = "LimitError";
  code = "LIMIT";
  retry = "never";
};
var ChunksMissingError = class extends SyncError {
  constructor(chunks) {
    super(`${chunks.length} chunk(s) are not available now, the first is ${chunks[0]?.slice(0, 12)}\u2026`);
    this.chunks = chunks;
  }
  chunks;
  name = "ChunksMissingError";
  code = "CHUNKS_MISSING";
  retry = "later";
};

// packages/protocol/src/bytes.ts
var HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
var NIBBLE_OF_CODE = new Uint8Array(128).fill(255);
for (let i = 0; i < 16; i++) NIBBLE_OF_CODE[i.toString(16).charCodeAt(0)] = i;
function bytesToHex(bytes) {
  let out = "";
  for (let i = 0; i < bytes.length; i++) out += HEX_OF_BYTE[bytes[i]];
  return out;
}
function hexToBytes(hex) {
  const out = new Uint8Array(hex.length >>> 1);
  writeHex(hex, out, 0);
  return out;
}
function writeHex(hex, into, offset) {
  if (hex.length % 2 !== 0) throw new TypeError("hex: odd number of digits");
  for (let i = 0; i < hex.length; i += 2) {
    const high = NIBBLE_OF_CODE[hex.charCodeAt(i)] ?? 255;
    const low = NIBBLE_OF_CODE[hex.charCodeAt(i + 1)] ?? 255;
    if (high > 15 || low > 15) throw new TypeError("hex: expected lower-case hex digits");
    into[offset + (i >>> 1)] = high << 4 | low;
  }
}
function concatBytes(parts) {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
var encoder = new TextEncoder();
var decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
var utf8Encode = (text2) => encoder.encode(text2);
var utf8Length = (text2) => encoder.encode(text2).length;

// packages/protocol/src/dot.ts
function compareDots(a, b) {
  if (a.rid !== b.rid) return a.rid < b.rid ? -1 : 1;
  return a.seq - b.seq;
}

// packages/protocol/src/ids.ts
var ROOT = "00000000000000000000000000000000";
var REPLICA_ID_BYTES = 8;
var NODE_ID_BYTES = 16;
var CHUNK_ID_BYTES = 32;
function hexParser(label, bytes) {
  const pattern = new RegExp(`^[0-9a-f]{${bytes * 2}}$`);
  return (text2) => {
    if (!pattern.test(text2)) throw new TypeError(`${label}: expected ${bytes * 2} lower-case hex digits`);
    return text2;
  };
}
var parseReplicaId = hexParser("replica id", REPLICA_ID_BYTES);
var parseRunId = hexParser("run id", REPLICA_ID_BYTES);
var parseDeviceId = hexParser("device id", REPLICA_ID_BYTES);
var parseNodeId = hexParser("node id", NODE_ID_BYTES);
var parseChunkId = hexParser("chunk id", CHUNK_ID_BYTES);
var parseBlobId = hexParser("blob id", CHUNK_ID_BYTES);

// packages/protocol/src/limits.ts
var KIB = 1024;
var MIB = 1024 * KIB;
var FRAME_BYTES_MAX = 4 * MIB;
var FRAME_BYTES_TARGET = 256 * KIB;
var NAME_BYTES_MAX = 255;
var TARGET_BYTES_MAX = 4096;
var SIBLINGS_MAX = 64;
var VECTOR_ENTRIES_MAX = 65536;
var DOTS_MAX = 4096;
var INLINE_BYTES_MAX = 64 * KIB;
var CHUNK_BYTES_MAX = 16 * MIB;
var PACK_BYTES_TARGET = 8 * MIB;
var BLOB_BYTES_MAX = 17 * MIB;
var IDS_PER_REQUEST_MAX = 4096;
var FILE_BYTES_MAX = 2 ** 50;
var SEQ_MAX = Number.MAX_SAFE_INTEGER;
var HEARTBEAT_TIMEOUT_MS = 3e4;
var HEARTBEAT_INTERVAL_MS = 1e4;
var TRANSFER_BYTES_IN_FLIGHT_MAX = 48 * MIB;
var DOWNLOAD_RANGE_BYTES_MAX = 2 * MIB;
var GRANT_TTL_MS = 30 * 6e4;
var FIELDS_MAX = 64;
var EXTRA_BYTES_MAX = 16 * KIB;
var MANIFEST_HEIGHT_MAX = 16;
var TOKEN_BYTES_MAX = 8 * KIB;
var URL_BYTES_MAX = 8 * KIB;
var MTIME_MS_MAX = 864e13;
function mustHold(holds, rule) {
  if (!holds) throw new RangeError(`limits: ${rule}`);
}
mustHold(FRAME_BYTES_TARGET < FRAME_BYTES_MAX, "a batch fits a frame");
mustHold(INLINE_BYTES_MAX < FRAME_BYTES_TARGET, "an inline file fits a batch");
mustHold(CHUNK_BYTES_MAX < BLOB_BYTES_MAX, "the largest chunk and an index fit a blob");
mustHold(PACK_BYTES_TARGET < BLOB_BYTES_MAX, "a pack fits a blob");
mustHold(BLOB_BYTES_MAX <= TRANSFER_BYTES_IN_FLIGHT_MAX, "a blob fits the transfer budget");
mustHold(DOWNLOAD_RANGE_BYTES_MAX <= TRANSFER_BYTES_IN_FLIGHT_MAX, "a range fits the transfer budget");
mustHold(IDS_PER_REQUEST_MAX * 64 < FRAME_BYTES_MAX, "a list of ids and places fits a frame");
mustHold(HEARTBEAT_INTERVAL_MS * 2 < HEARTBEAT_TIMEOUT_MS, "one lost ping is no dead session");
mustHold(FILE_BYTES_MAX <= SEQ_MAX, "sizes are exact");

// packages/protocol/src/codec/flat.ts
var VARINT_BYTES_MAX = 8;
function varintLength(value) {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}
function writeVarint(value, into, offset) {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`);
  let rest = value;
  let at = offset;
  while (rest >= 128) {
    into[at++] = rest % 128 | 128;
    rest = Math.floor(rest / 128);
  }
  into[at++] = rest;
  return at;
}
var FlatReader = class {
  constructor(bytes, label) {
    this.bytes = bytes;
    this.label = label;
  }
  bytes;
  label;
  at = 0;
  get done() {
    return this.at >= this.bytes.length;
  }
  skip(length) {
    if (this.at + length > this.bytes.length) throw new DecodeError(`${this.label}: cut off`);
    this.at += length;
  }
  id(length) {
    this.skip(length);
    return bytesToHex(this.bytes.subarray(this.at - length, this.at));
  }
  varint() {
    let value = 0;
    for (let i = 0, scale = 1; i < VARINT_BYTES_MAX; i++, scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === void 0) throw new DecodeError(`${this.label}: cut off`);
      value += (byte & 127) * scale;
      if (byte >= 128) continue;
      if (byte === 0 && i > 0) throw new DecodeError(`${this.label}: integer is not in its shortest form`);
      if (value > SEQ_MAX) break;
      return value;
    }
    throw new DecodeError(`${this.label}: integer of more than 53 bits`);
  }
};
var dotLength = (dot) => REPLICA_ID_BYTES + varintLength(dot.seq);
function packDots(dots) {
  const out = new Uint8Array(dots.reduce((length, dot) => length + dotLength(dot), 0));
  let at = 0;
  for (const { rid, seq } of dots) {
    if (rid.length !== REPLICA_ID_BYTES * 2) throw new TypeError(`replica id: ${rid}`);
    writeHex(rid, out, at);
    at = writeVarint(seq, out, at + REPLICA_ID_BYTES);
  }
  return out;
}
function unpackDots(bytes, label, seqMin, ordered) {
  const reader = new FlatReader(bytes, label);
  const out = [];
  while (!reader.done) {
    const dot = { rid: reader.id(REPLICA_ID_BYTES), seq: reader.varint() };
    if (dot.seq < seqMin) throw new DecodeError(`${label}: sequence numbers start at 1`);
    const last = out[out.length - 1];
    if (ordered && last && compareDots(last, dot) >= 0)
      throw new DecodeError(`${label}: not in ascending order`);
    out.push(dot);
  }
  return out;
}
var DOT_BYTES_MAX = REPLICA_ID_BYTES + VARINT_BYTES_MAX;
function checkCount(count, countMax, label) {
  if (count > countMax) throw new LimitError(`${label}: more than ${countMax}`, label, count);
}
var dotCodec = {
  cddl: "dot",
  write: (writer, dot) => {
    if (dot.seq < 1) throw new RangeError("dot: sequence numbers start at 1");
    writer.bytes(packDots([dot]));
  },
  read: (reader, label) => {
    const [dot, more] = unpackDots(reader.bytes(label, DOT_BYTES_MAX), label, 1, true);
    if (dot === void 0 || more !== void 0) throw new DecodeError(`${label}: expected one dot`);
    return dot;
  }
};
var dotsCodec = {
  cddl: "dots",
  write: (writer, dots) => {
    checkCount(dots.length, DOTS_MAX, "dots");
    writer.bytes(packDots([...dots].sort(compareDots)));
  },
  read: (reader, label) => {
    const dots = unpackDots(reader.bytes(label, DOTS_MAX * DOT_BYTES_MAX), label, 1, true);
    checkCount(dots.length, DOTS_MAX, label);
    return dots;
  }
};
function packVector(vector) {
  checkCount(vector.size, VECTOR_ENTRIES_MAX, "vector");
  return packDots([...vector].map(([rid, seq]) => ({ rid, seq })).sort(compareDots));
}
function unpackVector(bytes, label, seqMin) {
  const dots = unpackDots(bytes, label, seqMin, true);
  checkCount(dots.length, VECTOR_ENTRIES_MAX, label);
  const vector = new Map(dots.map(({ rid, seq }) => [rid, seq]));
  if (vector.size !== dots.length) throw new DecodeError(`${label}: a replica stands twice`);
  return vector;
}
var CONTEXT_BYTES_MAX = VARINT_BYTES_MAX + (VECTOR_ENTRIES_MAX + DOTS_MAX) * DOT_BYTES_MAX;
function encodeContext({ vector, except }) {
  checkCount(except.length, DOTS_MAX, "context.except");
  const head = new Uint8Array(varintLength(vector.size));
  writeVarint(vector.size, head, 0);
  return concatBytes([head, packVector(vector), packDots([...except].sort(compareDots))]);
}
function decodeContext(bytes, label = "context") {
  const reader = new FlatReader(bytes, label);
  const count = reader.varint();
  checkCount(count, VECTOR_ENTRIES_MAX, label);
  const vectorStart = reader.at;
  for (let i = 0; i < count; i++) skipDot(reader);
  const vector = unpackVector(bytes.subarray(vectorStart, reader.at), label, 1);
  const except = unpackDots(bytes.subarray(reader.at), label, 1, true);
  checkCount(except.length, DOTS_MAX, label);
  for (const { rid, seq } of except) {
    if ((vector.get(rid) ?? 0) < seq) throw new DecodeError(`${label}: an exception above the vector`);
  }
  return { vector, except };
}
function skipDot(reader) {
  reader.skip(REPLICA_ID_BYTES);
  reader.varint();
}
var contextCodec = {
  cddl: "context",
  write: (writer, ctx) => writer.bytes(encodeContext(ctx)),
  read: (reader, label) => decodeContext(reader.bytes(label, CONTEXT_BYTES_MAX), label)
};
var idCodec = (idBytes) => ({
  cddl: `id${idBytes}`,
  write: (writer, id) => {
    if (id.length !== idBytes * 2) throw new TypeError(`id of ${idBytes} bytes: ${id}`);
    writer.bytes(hexToBytes(id));
  },
  read: (reader, label) => {
    const bytes = reader.bytes(label, idBytes);
    if (bytes.length !== idBytes) throw new DecodeError(`${label}: expected ${idBytes} bytes`);
    return bytesToHex(bytes);
  }
});

// packages/protocol/src/context.ts
function contextHas(ctx, dot) {
  const seq = ctx.vector.get(dot.rid);
  if (seq === void 0 || seq < dot.seq) return false;
  for (const e of ctx.except) if (e.seq === dot.seq && e.rid === dot.rid) return false;
  return true;
}

// packages/protocol/src/hlc.ts
var HLC_MS_MAX = 2 ** 48 - 1;
var HLC_COUNTER_MAX = 2 ** 32 - 1;

// packages/protocol/src/names.ts
var RESERVED_NAME = ".tidemark";
var LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
function nameDefect(name) {
  if (name === "") return "is empty";
  if (name === "." || name === "..") return "is . or ..";
  if (name.includes("/")) return "contains a slash";
  if (name.includes("\0")) return "contains NUL";
  if (LONE_SURROGATE.test(name)) return "is not well-formed Unicode";
  if (name.normalize("NFC") !== name) return "is not NFC";
  if (utf8Length(name) > NAME_BYTES_MAX) return `is longer than ${NAME_BYTES_MAX} bytes`;
  return void 0;
}

// packages/protocol/src/codec/schema.ts
var uint = (max) => ({
  cddl: "uint",
  write: (writer, value) => writer.uint(value),
  read: (reader, label) => reader.uint(label, max)
});
var int = (magnitudeMax) => ({
  cddl: "int",
  write: (writer, value) => writer.int(value),
  read: (reader, label) => {
    const value = reader.int(label);
    if (Math.abs(value) > magnitudeMax) throw new LimitError(`${label}: out of range`, label, value);
    return value;
  }
});
var bool = {
  cddl: "bool",
  write: (writer, value) => writer.bool(value),
  read: (reader, label) => reader.bool(label)
};
var text = (bytesMax) => ({
  cddl: "tstr",
  write: (writer, value) => {
    if (LONE_SURROGATE.test(value)) throw new DecodeError("text is not well-formed Unicode");
    const length = utf8Length(value);
    if (length > bytesMax)
      throw new LimitError(`text of ${length} bytes, at most ${bytesMax}`, "text", length);
    writer.text(value);
  },
  read: (reader, label) => reader.text(label, bytesMax)
});
function choice(words) {
  return {
    cddl: `&(${words.map((word, i) => `${word}: ${i}`).join(", ")})`,
    write: (writer, value) => writer.uint(words.indexOf(value)),
    read: (reader, label) => {
      const word = words[reader.uint(label)];
      if (word === void 0) throw new DecodeError(`${label}: unknown choice`);
      return word;
    }
  };
}
var list = (item, countMax) => ({
  cddl: `[* ${item.cddl}]`,
  write: (writer, values) => {
    if (values.length > countMax) {
      throw new LimitError(`${values.length} items, at most ${countMax}`, "list", values.length);
    }
    writer.arrayHeader(values.length);
    for (const value of values) item.write(writer, value);
  },
  read: (reader, label) => {
    const count = reader.arrayHeader(label, countMax);
    const out = [];
    for (let i = 0; i < count; i++) out.push(item.read(reader, label));
    return out;
  }
});
var required = (key, codec) => ({ key, codec, presence: "required" });
var optional = (key, codec) => ({ key, codec, presence: "optional" });
var byDefault = (key, codec, absent) => ({
  key,
  codec,
  presence: "default",
  absent
});
function record(name, fieldsByName, options) {
  const fields = Object.entries(fieldsByName).map(([fieldName, field]) => ({ ...field, name: fieldName, label: `${name}.${fieldName}` })).sort((a, b) => a.key - b.key);
  const byKey = new Map(fields.map((field) => [field.key, field]));
  if (byKey.size !== fields.length) throw new TypeError(`${name}: two fields with one number`);
  const write3 = (writer, record2) => {
    const values = record2;
    const isWritten = (field) => {
      const value = values[field.name];
      return field.presence === "default" ? (value ?? field.absent) !== field.absent : value !== void 0;
    };
    const extra = (options.unknown === "keep" ? values.extra : void 0) ?? [];
    writer.mapHeader(fields.reduce((count, field) => count + (isWritten(field) ? 1 : 0), extra.length));
    let next = 0;
    const writeExtraBelow = (key) => {
      for (let field = extra[next]; field !== void 0 && field.key < key; field = extra[++next]) {
        writer.uint(field.key);
        writer.raw(field.value);
      }
    };
    for (const field of fields) {
      if (extra.length > next) writeExtraBelow(field.key);
      if (isWritten(field)) {
        writer.uint(field.key);
        field.codec.write(writer, values[field.name]);
      } else if (field.presence === "required") throw new TypeError(`${field.label} is missing`);
    }
    writeExtraBelow(Number.POSITIVE_INFINITY);
  };
  const read2 = (reader, label) => {
    const count = reader.mapHeader(label, FIELDS_MAX);
    const out = {};
    const extra = [];
    let last = 0;
    for (let i = 0; i < count; i++) {
      const key = reader.uint(label);
      if (key <= last) throw new DecodeError(`${label}: keys are not in ascending order from 1`);
      last = key;
      const field = byKey.get(key);
      if (field !== void 0) {
        const value2 = field.codec.read(reader, field.label);
        if (field.presence === "default" && value2 === field.absent) {
          throw new DecodeError(`${field.label}: says what its absence means`);
        }
        out[field.name] = value2;
      } else if (options.unknown === "refuse") throw new DecodeError(`${label}: unknown field ${key}`);
      else {
        const value2 = reader.raw(
          label,
          options.unknown === "keep" ? EXTRA_BYTES_MAX : Number.POSITIVE_INFINITY
        );
        if (options.unknown === "keep") extra.push({ key, value: value2.slice() });
      }
    }
    for (const field of fields) {
      if (out[field.name] !== void 0) continue;
      if (field.presence === "required") throw new DecodeError(`${field.label} is missing`);
      if (field.presence === "default") out[field.name] = field.absent;
    }
    if (extra.length > 0) out.extra = extra;
    const value = out;
    options.check?.(value);
    return value;
  };
  return { name, cddl: name, fields, write: write3, read: read2 };
}

// packages/protocol/src/codec/wire-writer.ts
var KEEP_BYTES_MAX = 256 * 1024;
var FIRST_BYTES = 4 * 1024;
var WireWriter = class {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  /** Forgets what was written, for instance by a call that threw. */
  reset() {
    this.#at = 0;
  }
  /** @returns a copy of everything written, and forgets it. */
  take() {
    const out = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    if (this.#bytes.length > KEEP_BYTES_MAX) this.#resize(FIRST_BYTES);
    return out;
  }
  nil() {
    this.#byte(192);
  }
  bool(value) {
    this.#byte(value ? 195 : 194);
  }
  /** @throws {RangeError} not an integer from 0 to 2^53 - 1. */
  uint(value) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`);
    if (value < 128) this.#byte(value);
    else if (value < 256) this.#tagged8(204, value);
    else if (value < 65536) this.#tagged16(205, value);
    else if (value < 4294967296) this.#tagged32(206, value);
    else this.#tagged64(207, value);
  }
  /** @throws {RangeError} not an integer of 53 bits and a sign. */
  int(value) {
    if (value >= 0) {
      this.uint(value);
      return;
    }
    if (!Number.isSafeInteger(value)) throw new RangeError(`not an integer: ${value}`);
    if (value >= -32) this.#byte(value & 255);
    else if (value >= -128) this.#tagged8(208, value & 255);
    else if (value >= -32768) this.#tagged16(209, value & 65535);
    else if (value >= -2147483648) this.#tagged32(210, value >>> 0);
    else this.#tagged64(211, value);
  }
  /** The caller has made sure that `text` is well-formed. */
  text(text2) {
    const bytes = utf8Encode(text2);
    const length = bytes.length;
    if (length < 32) this.#byte(160 | length);
    else if (length < 256) this.#tagged8(217, length);
    else if (length < 65536) this.#tagged16(218, length);
    else this.#tagged32(219, length);
    this.raw(bytes);
  }
  bytes(bytes) {
    const length = bytes.length;
    if (length < 256) this.#tagged8(196, length);
    else if (length < 65536) this.#tagged16(197, length);
    else this.#tagged32(198, length);
    this.raw(bytes);
  }
  arrayHeader(count) {
    if (count < 16) this.#byte(144 | count);
    else if (count < 65536) this.#tagged16(220, count);
    else this.#tagged32(221, count);
  }
  mapHeader(count) {
    if (count < 16) this.#byte(128 | count);
    else if (count < 65536) this.#tagged16(222, count);
    else this.#tagged32(223, count);
  }
  /** Bytes that are MessagePack already. */
  raw(bytes) {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
  #byte(value) {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }
  #tagged8(tag, value) {
    this.#room(2);
    this.#bytes[this.#at++] = tag;
    this.#bytes[this.#at++] = value;
  }
  #tagged16(tag, value) {
    this.#room(3);
    this.#bytes[this.#at++] = tag;
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }
  #tagged32(tag, value) {
    this.#room(5);
    this.#bytes[this.#at++] = tag;
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }
  #tagged64(tag, value) {
    this.#room(9);
    this.#bytes[this.#at++] = tag;
    const high = Math.floor(value / 2 ** 32);
    this.#view.setInt32(this.#at, high);
    this.#view.setUint32(this.#at + 4, value - high * 2 ** 32);
    this.#at += 8;
  }
  #room(count) {
    if (this.#at + count > this.#bytes.length)
      this.#resize(Math.max(this.#bytes.length * 2, this.#at + count));
  }
  #resize(length) {
    const bytes = new Uint8Array(length);
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
};

// packages/protocol/src/codec/node-entry-codec.ts
var nodeId = idCodec(NODE_ID_BYTES);
var chunkId = idCodec(CHUNK_ID_BYTES);
var hlc = {
  cddl: "hlc",
  write: (writer, { ms, counter }) => {
    writer.arrayHeader(2);
    writer.uint(ms);
    writer.uint(counter);
  },
  read: (reader, label) => {
    if (reader.arrayHeader(label, 2) !== 2) throw new DecodeError(`${label}: expected two integers`);
    return { ms: reader.uint(label, HLC_MS_MAX), counter: reader.uint(label, HLC_COUNTER_MAX) };
  }
};
var locRecord = record(
  "loc",
  {
    parent: required(1, nodeId),
    name: required(2, text(NAME_BYTES_MAX)),
    from: optional(3, nodeId),
    dead: byDefault(4, bool, false),
    seen: optional(5, contextCodec),
    held: optional(6, dotsCodec),
    pin: optional(7, dotsCodec),
    alt: optional(8, flag())
  },
  {
    unknown: "keep",
    check: ({ parent, name }) => {
      const defect = nameDefect(name);
      if (defect !== void 0) throw new DecodeError(`loc.name ${defect}`);
      if (parent === ROOT && name === RESERVED_NAME) throw new DecodeError(`loc.name ${name} is reserved`);
    }
  }
);
var contentRecord = record(
  "content",
  {
    root: optional(1, chunkId),
    height: byDefault(2, uint(MANIFEST_HEIGHT_MAX), 0),
    size: byDefault(3, uint(FILE_BYTES_MAX), 0),
    mtimeMs: byDefault(4, int(MTIME_MS_MAX), 0),
    target: optional(5, text(TARGET_BYTES_MAX)),
    base: optional(6, chunkId),
    adopted: optional(7, flag()),
    copies: optional(8, dotsCodec)
  },
  {
    unknown: "keep",
    check: (content) => {
      const { root, height, size, target, copies } = content;
      if (target?.includes("\0")) throw new DecodeError("content.target contains NUL");
      if (root !== void 0 && copies !== void 0)
        throw new DecodeError("content.copies without being a void");
      if (root === void 0 && (height !== 0 || size !== 0 || target !== void 0)) {
        throw new DecodeError("content: a void holds nothing");
      }
    }
  }
);
var attrRecord = record("attr", { executable: byDefault(1, bool, false) }, { unknown: "keep" });
function flag() {
  return {
    cddl: "true",
    write: (writer, value) => writer.bool(value),
    read: (reader, label) => {
      if (!reader.bool(label)) throw new DecodeError(`${label}: says what its absence means`);
      return true;
    }
  };
}
var siblingRecord = (name, value) => record(
  name,
  {
    dot: required(1, dotCodec),
    ctx: required(2, contextCodec),
    hlc: required(3, hlc),
    value: required(4, value)
  },
  {
    unknown: "keep",
    check: ({ dot, ctx }) => {
      if (contextHas(ctx, dot)) throw new DecodeError(`${name}: a dot in its own context`);
    }
  }
);
var locSibling = siblingRecord("loc-sibling", locRecord);
var contentSibling = siblingRecord("content-sibling", contentRecord);
var attrSibling = siblingRecord("attr-sibling", attrRecord);
function register(sibling) {
  const siblings = list(sibling, SIBLINGS_MAX);
  return {
    cddl: siblings.cddl,
    write: (writer, value) => siblings.write(writer, sortedSiblings(value)),
    read: (reader, label) => {
      const value = siblings.read(reader, label);
      checkRegister(value, label);
      return value;
    }
  };
}
function sortedSiblings(value) {
  return value.length < 2 ? value : [...value].sort((a, b) => compareDots(a.dot, b.dot));
}
function checkRegister(value, label) {
  for (const [i, sibling] of value.entries()) {
    const last = value[i - 1];
    if (last && compareDots(last.dot, sibling.dot) >= 0)
      throw new DecodeError(`${label}: siblings out of order`);
    for (const other of value) {
      if (contextHas(other.ctx, sibling.dot)) throw new DecodeError(`${label}: a sibling covers another`);
    }
  }
}
var KINDS = ["file", "dir", "symlink", "mount"];
var nodeEntryRecord = record(
  "node-entry",
  {
    id: required(1, nodeId),
    kind: required(2, choice(KINDS)),
    loc: required(3, register(locSibling)),
    content: required(4, register(contentSibling)),
    attr: required(5, register(attrSibling))
  },
  { unknown: "keep", check: checkKind }
);
function checkKind({ id, kind, content }) {
  if (id === ROOT) throw new DecodeError("node-entry: the root has no registers");
  if (content.length > 0 && kind !== "file" && kind !== "symlink") {
    throw new DecodeError(`node-entry: a ${kind} has no content`);
  }
  for (const { value } of content) {
    const hasTarget = value.target !== void 0;
    if (hasTarget !== (kind === "symlink" && value.root !== void 0)) {
      throw new DecodeError("node-entry: exactly the contents of symlinks have a target");
    }
  }
}
var WRITER = new WireWriter();
function encode(codec, value) {
  WRITER.reset();
  codec.write(WRITER, value);
  return WRITER.take();
}
function encodeNodeEntry(entry) {
  return encode(nodeEntryRecord, entry);
}

// packages/folder/src/apply/apply-remote.ts
import { join as join6 } from "node:path";

// packages/folder/src/rows-store.ts
var RowsStore = class {
  #kv;
  constructor(kv) {
    this.#kv = kv;
  }
  async get(key) {
    const place = await this.#kv.get(keyIndex(key));
    if (place === void 0) return void 0;
    const at = decoder2.decode(place);
    return decodeSynced(at, await this.#kv.get(at));
  }
  /** Rows of these keys, in order. Two reads however many keys. */
  async getMany(keys) {
    if (keys.length === 0) return [];
    const places = (await this.#kv.getMany(keys.map(keyIndex))).map((place) => place && decoder2.decode(place));
    const known = places.filter((place) => place !== void 0);
    const values = known.length === 0 ? [] : await this.#kv.getMany(known);
    let next = 0;
    return places.map((place) => place === void 0 ? void 0 : decodeSynced(place, values[next++]));
  }
  /** What stands under a name on disk, by its directory's key (ROOT: the bound directory). */
  async at(dir, localName) {
    const place = placeKey(dir, localName);
    return decodeSynced(place, await this.#kv.get(place));
  }
  /** All rows of one directory, by local name. */
  async inDirectory(dir) {
    const rows = /* @__PURE__ */ new Map();
    for await (const page of this.#kv.range(directoryRange(dir))) {
      for (const [place, value] of page) {
        const row = decodeSynced(place, value);
        rows.set(row.localName, row);
      }
    }
    return rows;
  }
  /** Whether a directory has any row. */
  async isEmpty(dir) {
    for await (const page of this.#kv.range(directoryRange(dir))) if (page.length > 0) return false;
    return true;
  }
  /** Several rows share an inode where a file has several links. */
  async byInode(dev, ino) {
    return (await this.byInodes(dev, [ino])).get(ino) ?? [];
  }
  /** Rows of these inodes. Inodes that were made together lie together: one range read for neighbours. */
  async byInodes(dev, inos) {
    const wanted = new Set(inos.map(padInode));
    const sorted = [...wanted].sort();
    const keys = [];
    for (let first = 0; first < sorted.length; ) {
      let last = first;
      while (last + 1 < sorted.length && BigInt(sorted[last + 1]) - BigInt(sorted[last]) <= INODE_GAP) last++;
      const range = { gte: `i/${dev}:${sorted[first]}/`, lt: `i/${dev}:${sorted[last]}0` };
      for await (const page of this.#kv.range(range)) {
        for (const [at] of page) {
          const [, inode, key] = at.split("/");
          if (wanted.has(inode.slice(inode.indexOf(":") + 1))) keys.push(key);
        }
      }
      first = last + 1;
    }
    const found = /* @__PURE__ */ new Map();
    for (const row of await this.getMany(keys)) {
      if (!row) continue;
      const { ino } = row.fingerprint;
      const rows = found.get(ino);
      if (rows) rows.push(row);
      else found.set(ino, [row]);
    }
    return found;
  }
  /**
   * Path on disk below the bound directory, segments joined by `/`; `undefined` while a directory above
   * it has no row.
   */
  async localPathOf(row) {
    const above = await this.pathOfDirectory(row.dir);
    if (above === void 0) return void 0;
    return above === "" ? row.localName : `${above}/${row.localName}`;
  }
  /** As `localPathOf`, by a directory's key; `''` for ROOT. */
  async pathOfDirectory(dir) {
    const names = [];
    for (let key = dir; key !== ROOT; ) {
      const place = await this.#kv.get(keyIndex(key));
      if (place === void 0) return void 0;
      const [parent, name] = splitPlace(decoder2.decode(place));
      names.unshift(name);
      key = parent;
    }
    return names.join("/");
  }
  /** Every row, in pages, in the order of directory keys. */
  async *all() {
    for await (const page of this.#kv.range({ gte: "d/", lt: "d0" })) {
      yield page.map(([place, value]) => decodeSynced(place, value));
    }
  }
  /** How many rows there are. Reads all keys. */
  async count() {
    let count = 0;
    for await (const page of this.#kv.range({ gte: "k/", lt: "k0" })) count += page.length;
    return count;
  }
  /** Rows whose rename into place was under way when the process ended, or is now. */
  async provisional() {
    const keys = [];
    for await (const page of this.#kv.range({ gte: "p/", lt: "p0" })) {
      for (const [at] of page) keys.push(at.slice(2));
    }
    return (await this.getMany(keys)).filter((row) => row !== void 0);
  }
  async root() {
    const value = await this.#kv.get(ROOT_RECORD);
    return value === void 0 ? void 0 : JSON.parse(decoder2.decode(value));
  }
};
function rowOps(changes) {
  const vanished = /* @__PURE__ */ new Set();
  const puts = /* @__PURE__ */ new Map();
  for (const { before } of changes) if (before) for (const key of indexKeys(before)) vanished.add(key);
  for (const { after } of changes) {
    if (!after) continue;
    const place = placeKey(after.dir, after.localName);
    puts.set(place, encodeSynced(after));
    puts.set(keyIndex(after.key), encoder2.encode(place));
    puts.set(inodeKey(after), EMPTY);
    if (after.provisional) puts.set(provisionalKey(after.key), EMPTY);
  }
  const ops = [];
  for (const key of vanished) if (!puts.has(key)) ops.push({ type: "del", key });
  for (const [key, value] of puts) ops.push({ type: "put", key, value });
  return ops;
}
var encoder2 = new TextEncoder();
var decoder2 = new TextDecoder();
var EMPTY = new Uint8Array(0);
var ROOT_RECORD = "root";
var keyIndex = (key) => `k/${key}`;
var provisionalKey = (key) => `p/${key}`;
var placeKey = (dir, localName) => `d/${dir}/${encodeURIComponent(localName)}`;
var padInode = (ino) => ino.padStart(20, "0");
var inodeKey = ({ key, fingerprint: { dev, ino } }) => `i/${dev}:${padInode(ino)}/${key}`;
var INODE_GAP = 256n;
function indexKeys(row) {
  const keys = [placeKey(row.dir, row.localName), keyIndex(row.key), inodeKey(row)];
  if (row.provisional) keys.push(provisionalKey(row.key));
  return keys;
}
var rangeBelow = (prefix) => ({
  gte: prefix,
  lt: `${prefix.slice(0, -1)}0`
});
var directoryRange = (dir) => rangeBelow(`d/${dir}/`);
function splitPlace(place) {
  const slash = place.lastIndexOf("/");
  return [place.slice(2, slash), decodeURIComponent(place.slice(slash + 1))];
}
function encodeSynced(row) {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink } = row.fingerprint;
  const packed = [
    row.key,
    row.entry,
    [dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink],
    row.racy ? 1 : 0
  ];
  if (row.provisional) packed.push(row.provisional);
  return encoder2.encode(JSON.stringify(packed));
}
function decodeSynced(place, value) {
  if (value === void 0) return void 0;
  const [key, entry, stamps2, racy, provisional] = JSON.parse(decoder2.decode(value));
  const [dir, localName] = splitPlace(place);
  const [dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink] = stamps2;
  const fingerprint = { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink };
  return {
    key,
    dir,
    localName,
    entry,
    fingerprint,
    ...racy ? { racy: true } : {},
    ...provisional ? { provisional } : {}
  };
}

// packages/folder/src/apply/disk.ts
import { createHash } from "node:crypto";
function errnoOf(error) {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : void 0;
}
function mustBeSystemError(error) {
  const errno = errnoOf(error);
  if (errno === void 0 || !/^E[A-Z0-9]+$/.test(errno)) throw error;
  return errno;
}
var sameFile = (a, b) => a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
var untouched = (a, b) => sameFile(a, b) && a.ctimeNs === b.ctimeNs;
var RACY_BYTES_MAX = 1 << 20;
function matchesRow(files, path, row) {
  const stat = files.lstat(path);
  if (!stat || stat.kind !== row.entry.kind) return false;
  if (stat.kind === "dir") return stat.dev === row.fingerprint.dev && stat.ino === row.fingerprint.ino;
  if (!untouched(stat, row.fingerprint)) return false;
  const version = row.entry.version;
  if (!row.racy || stat.kind !== "file" || !version) return true;
  if (version.height > 0 || stat.size > RACY_BYTES_MAX) return false;
  return createHash("sha256").update(files.readFile(path)).digest("hex") === version.root;
}
var NO_LINKS = /* @__PURE__ */ new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"]);
function placeNew(files, from, to, kind) {
  if (kind === "file") {
    try {
      files.link(from, to);
      files.unlink(from);
      return true;
    } catch (error) {
      const errno = mustBeSystemError(error);
      if (errno === "EEXIST") return finishPlacing(files, from, to);
      if (!NO_LINKS.has(errno)) throw error;
    }
  }
  if (files.lstat(to)) return false;
  files.rename(from, to);
  return true;
}
function finishPlacing(files, from, to) {
  const [a, b] = [files.lstat(from), files.lstat(to)];
  if (!a || !b || a.dev !== b.dev || a.ino !== b.ino) return false;
  files.unlink(from);
  return true;
}
function putBack(files, from, directory, name) {
  const kind = files.lstat(from)?.kind ?? "file";
  if (placeNew(files, from, `${directory}/${name}`, kind)) return name;
  const dot = name.lastIndexOf(".");
  const split = dot > 0 ? dot : name.length;
  for (let n = 1; ; n++) {
    const beside = `${name.slice(0, split)} (local ${n})${name.slice(split)}`;
    if (placeNew(files, from, `${directory}/${beside}`, kind)) return beside;
  }
}

// packages/folder/src/apply/mode.ts
var FILE_MODE = 420;
var EXECUTABLE_MODE = 493;
var modeFor = (mode, executable) => executable ? mode & 4095 | (mode & 292) >> 2 : mode & 4022;

// packages/folder/src/apply/room.ts
var MIB2 = 1024 * 1024;
var ROOM_RESERVE_BYTES = 64 * MIB2;
var mib = (bytes) => `${Math.ceil(bytes / MIB2)} MiB`;
var Room = class {
  #left;
  constructor(files, directory) {
    this.#left = files.room(directory).freeBytes - ROOM_RESERVE_BYTES;
  }
  /** @returns whether there was room; then it is taken. */
  take(bytes) {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
};

// packages/folder/src/apply/downloads.ts
var AT_ONCE_MAX = 2;
var Downloads = class {
  constructor(onFinished = () => {
  }) {
    this.onFinished = onFinished;
  }
  onFinished;
  #running = /* @__PURE__ */ new Map();
  #ended = /* @__PURE__ */ new Map();
  #abort = new AbortController();
  /**
   * Starts the download if there is a free place for it, or says what became of it.
   * @throws what it failed with, where that was neither the network nor the disk.
   */
  ask(ctx, staging, version) {
    const ended = this.#ended.get(version.root);
    const isThere = ctx.files.lstat(staging.partPath(version.root))?.size === version.size;
    if (ended?.state === "complete" && isThere) return ended;
    this.#ended.delete(version.root);
    if (ended?.state === "failed") throw ended.error;
    if (ended && ended.state !== "complete") return ended;
    const running = this.#running.get(version.root);
    if (running) return running.state;
    if (this.#running.size >= AT_ONCE_MAX || this.#abort.signal.aborted) return { state: "running" };
    const state = { state: "running" };
    const finished = this.#fetch(ctx, staging, version).then((end) => {
      this.#running.delete(version.root);
      this.#ended.set(version.root, end);
      this.onFinished();
    });
    this.#running.set(version.root, { finished, state });
    return state;
  }
  /** Resolves when one that runs now has ended; at once when none runs. */
  async next() {
    await Promise.race([...this.#running.values()].map(({ finished }) => finished));
  }
  get isIdle() {
    return this.#running.size === 0;
  }
  /** Stops them; the parts stay for the next time. Idempotent. */
  async close() {
    this.#abort.abort();
    await Promise.all([...this.#running.values()].map(({ finished }) => finished));
  }
  async #fetch(ctx, staging, version) {
    try {
      const path = staging.partPath(version.root);
      if ((ctx.files.lstat(path)?.nlink ?? 1) > 1) ctx.files.unlink(path);
      const have = ctx.files.lstat(path)?.size ?? 0;
      const needed = Math.max(0, version.size - have) + ROOM_RESERVE_BYTES;
      if (needed > ctx.files.room(ctx.staging).freeBytes) return { state: "no-space" };
      await this.#fetchInto(ctx, path, version);
      return { state: "complete" };
    } catch (error) {
      if (error instanceof SyncError || this.#abort.signal.aborted) return { state: "missing" };
      if (errnoOf(error) !== void 0) return { state: "refused", errno: errnoOf(error) };
      return { state: "failed", error };
    }
  }
  async #fetchInto(ctx, path, version) {
    const file = ctx.files.open(path, "rw", FILE_MODE);
    try {
      const sink = {
        write: (offset, bytes) => file.write(offset, bytes),
        read: async (offset, length) => {
          const bytes = await file.read(offset, length);
          return bytes.length === length ? bytes : void 0;
        }
      };
      await ctx.space.fetch(version, sink, { signal: this.#abort.signal });
      file.truncate(version.size);
      await file.sync();
    } finally {
      await file.close();
    }
  }
};

// packages/folder/src/apply/item.ts
function wantedLocalName(row, want) {
  return row && row.localName.normalize("NFC") === want.name ? row.localName : want.name;
}
var isContent = (entry) => entry.kind === "file" || entry.kind === "symlink";
var contentDiffers = (row, want) => row.entry.version?.root !== want.version?.root;
var executableDiffers = (row, want) => want.kind === "file" && row.entry.executable !== want.executable;
var compareText = (a, b) => a < b ? -1 : a > b ? 1 : 0;

// packages/folder/src/apply/gather.ts
function gather(source, keys) {
  return new Gathering(source.space, source.rows).run(keys);
}
var Gathering = class {
  constructor(space, rows) {
    this.space = space;
    this.rows = rows;
  }
  space;
  rows;
  #items = /* @__PURE__ */ new Map();
  #dirs = /* @__PURE__ */ new Map();
  #settled = /* @__PURE__ */ new Map();
  #noDirRow = /* @__PURE__ */ new Set();
  async run(keys) {
    let frontier = [...new Set(keys)];
    while (frontier.length > 0) {
      const loaded = await this.#load(frontier);
      const wanted = /* @__PURE__ */ new Set();
      await Promise.all(loaded.map((item) => this.#neighbours(item, wanted)));
      frontier = [...wanted].filter((key) => !this.#items.has(key));
    }
    for (const key of this.#items.keys()) this.#settled.delete(key);
    return { items: [...this.#items.values()], dirs: this.#dirs, settled: [...this.#settled.values()] };
  }
  async #load(keys) {
    const rows = await this.rows.getMany(keys);
    return Promise.all(
      keys.map(async (key, i) => {
        const row = rows[i];
        const { want, nodes } = await this.#read(key, row);
        const item = { key, row, want, nodes };
        this.#items.set(key, item);
        if (row?.entry.kind === "dir") this.#dirs.set(key, row);
        return item;
      })
    );
  }
  /** Registers before the entry: a change in between makes them older than what is shown, never newer. */
  async #read(key, row) {
    const ids = /* @__PURE__ */ new Set([nodeOf(key), ...row?.entry.backing ?? []]);
    for (; ; ) {
      const nodes = await Promise.all([...ids].map((id) => this.space.received.node(id)));
      const want = await this.space.received.entry(key);
      const known = ids.size;
      for (const id of want?.backing ?? []) ids.add(id);
      if (ids.size === known) return { want, nodes: nodes.filter((node) => node !== void 0) };
    }
  }
  async #neighbours(item, wanted) {
    const { row, want } = item;
    if (row) await this.#addDirs(row.dir);
    if (row && !want && row.entry.kind === "dir") await this.#addChildren(row.key, wanted);
    if (want) await this.#addTarget(item, want, wanted);
    await this.#addRelatives(item, wanted);
  }
  async #addTarget({ key, row }, want, wanted) {
    if (!await this.#addDirs(want.parent)) {
      wanted.add(want.parent);
      return;
    }
    const name = wantedLocalName(row, want);
    if (row && row.dir === want.parent && row.localName === name) return;
    const occupant = await this.rows.at(want.parent, name);
    if (occupant && occupant.key !== key) await this.#addOther(occupant, wanted);
  }
  /** Loads a directory's row and those above it. @returns whether it has one. */
  async #addDirs(dir) {
    for (let at = dir; at !== ROOT; ) {
      const known = this.#dirs.get(at);
      if (!known && this.#noDirRow.has(at)) return false;
      const row = known ?? await this.rows.get(at);
      if (!row) {
        this.#noDirRow.add(at);
        return false;
      }
      this.#dirs.set(at, row);
      at = row.dir;
    }
    return true;
  }
  async #addChildren(dir, wanted) {
    for (const child of (await this.rows.inDirectory(dir)).values()) await this.#addOther(child, wanted);
  }
  /** An entry that may or may not differ from its row. */
  async #addOther(row, wanted) {
    if (this.#items.has(row.key) || this.#settled.has(row.key)) return;
    const want = await this.space.received.entry(row.key);
    if (want && !differs(row, want)) this.#settled.set(row.key, row);
    else wanted.add(row.key);
  }
  /**
   * Other entries of the same nodes: versions of a file, and nodes that merged or split. A node with one
   * version and no row is new and has none.
   */
  async #addRelatives({ key, row, want, nodes }, wanted) {
    const keys = /* @__PURE__ */ new Set();
    for (const id of [...row?.entry.backing ?? [], ...want?.backing ?? []]) keys.add(id);
    for (const node of nodes) addVersionKeys(node, keys);
    if (row) {
      const synced = await Promise.all(nodes.map(({ id }) => this.space.synced.node(id)));
      for (const node of synced) if (node) addVersionKeys(node, keys);
    }
    keys.delete(key);
    const others = [...keys].filter((other) => !this.#items.has(other));
    const rows = await this.rows.getMany(others);
    for (const [i, other] of others.entries()) if (rows[i]) wanted.add(other);
  }
};
function addVersionKeys({ id, content }, keys) {
  keys.add(id);
  const roots = new Set(content.map(({ value }) => value.root).filter((root) => root !== void 0));
  if (roots.size > 1) for (const root of roots) keys.add(`${id}:${root}`);
}
function differs(row, want) {
  return row.dir !== want.parent || row.localName !== wantedLocalName(row, want) || contentDiffers(row, want) || executableDiffers(row, want);
}
var nodeOf = (key) => key.split(":")[0];

// packages/folder/src/apply/locator.ts
import { join } from "node:path";

// packages/folder/src/apply/components.ts
function linkedKeys(items) {
  const groups = /* @__PURE__ */ new Map();
  const merge = (a, b) => {
    const into = groups.get(a) ?? [a];
    const from = groups.get(b) ?? [b];
    if (into === from) {
      groups.set(a, into);
      return;
    }
    if (from !== into) into.push(...from);
    for (const key of into) groups.set(key, into);
  };
  const present = new Set(items.map(({ key }) => key));
  const firstOf = /* @__PURE__ */ new Map();
  for (const { key, row, want, nodes } of items) {
    if (row && row.key !== key && present.has(row.key)) merge(key, row.key);
    if (want?.kind === "dir" && (!row || row.key === key)) continue;
    for (const { id } of nodes) {
      const first = firstOf.get(id);
      if (first === void 0) firstOf.set(id, key);
      else merge(first, key);
    }
  }
  const withRow = new Set(items.filter(({ row }) => row).map(({ key }) => key));
  return new Map([...groups].filter(([, group2]) => group2.some((key) => withRow.has(key))));
}

// packages/folder/src/apply/plan-moves.ts
var Moves = class {
  #model;
  #pending = [];
  #steps = [];
  constructor(items, dirs, settled) {
    const rows = /* @__PURE__ */ new Map();
    for (const row of dirs.values()) rows.set(row.key, row);
    for (const row of settled) rows.set(row.key, row);
    for (const { row } of items) if (row) rows.set(row.key, row);
    this.#model = new Model(rows.values(), dirs.keys());
  }
  standsAt(row, to) {
    return row.dir === to.dir && row.localName === to.name;
  }
  note(item, to) {
    this.#steps.push({ type: "note", item, to });
  }
  remove(item) {
    this.#model.leave(item.row.key);
    this.#steps.push({ type: "remove", item });
  }
  rmdir(item) {
    this.#pending.push({ type: "rmdir", item, depth: 0 });
  }
  mkdir(item, to, depth) {
    this.#pending.push({ type: "mkdir", item, to, depth });
  }
  move(item, to) {
    this.#pending.push({ type: "move", item, to, depth: 0 });
  }
  /** Takes a place for a new file. */
  claim(to) {
    if (!this.#model.canEnter(to)) return false;
    this.#model.enter(`${to.dir}/${to.name}`, to);
    return true;
  }
  run() {
    this.#pending.sort(
      (a, b) => compareText(a.type, b.type) || a.depth - b.depth || compareText(a.item.key, b.item.key)
    );
    const lifted = /* @__PURE__ */ new Set();
    const moved = /* @__PURE__ */ new Map();
    for (; ; ) {
      this.#pending = performAll(this.#model, this.#pending, ({ type, item, to }) => {
        if (type === "rmdir") this.#steps.push({ type, item });
        else if (type === "mkdir") this.#steps.push({ type, item, to });
        else {
          this.#steps.push({ type: lifted.has(item.key) ? "land" : "move", item, to });
          moved.set(item.key, to);
        }
      });
      const next = this.#liftable().find(({ item }) => !lifted.has(item.key));
      if (!next) break;
      lifted.add(next.item.key);
      this.#model.lift(next.item.row.key);
      this.#steps.push({ type: "lift", item: next.item, to: next.to });
    }
    return { steps: this.#steps, left: this.#pending.map(({ item }) => item.key), moved };
  }
  /** The moves that would all end if each of them were lifted at once. */
  #liftable() {
    let hopeful = this.#pending.filter(({ type }) => type === "move");
    while (hopeful.length > 0) {
      const model = this.#model.clone();
      for (const { item } of hopeful) model.lift(item.row.key);
      const others = this.#pending.filter(({ type }) => type !== "move");
      const stuck = new Set(performAll(model, [...others, ...hopeful], () => {
      }));
      const landing = hopeful.filter((pending) => !stuck.has(pending));
      if (landing.length === hopeful.length) break;
      hopeful = landing;
    }
    return hopeful;
  }
};
function performAll(model, pending, done) {
  let left = [...pending];
  for (; ; ) {
    const blocked = left.filter((each) => {
      if (!model.perform(each)) return true;
      done(each);
      return false;
    });
    if (blocked.length === left.length) return left;
    left = blocked;
  }
}
var Model = class _Model {
  #places = /* @__PURE__ */ new Map();
  #occupied = /* @__PURE__ */ new Set();
  #childCount = /* @__PURE__ */ new Map();
  #dirs = /* @__PURE__ */ new Set([ROOT]);
  constructor(rows, dirs) {
    for (const dir of dirs) this.#dirs.add(dir);
    for (const row of rows) this.enter(row.key, { dir: row.dir, name: row.localName });
  }
  clone() {
    const copy = new _Model([], this.#dirs);
    for (const [id, place] of this.#places) copy.enter(id, place);
    return copy;
  }
  enter(id, place) {
    this.#places.set(id, place);
    this.#occupied.add(placeText(place));
    this.#childCount.set(place.dir, (this.#childCount.get(place.dir) ?? 0) + 1);
  }
  leave(id) {
    const place = this.#places.get(id);
    this.#places.delete(id);
    this.#occupied.delete(placeText(place));
    this.#childCount.set(place.dir, this.#childCount.get(place.dir) - 1);
  }
  lift(id) {
    this.leave(id);
    this.enter(id, { dir: STAGING_DIR, name: id });
  }
  canEnter(to) {
    return this.#dirs.has(to.dir) && !this.#occupied.has(placeText(to));
  }
  perform({ type, item, to }) {
    if (type === "rmdir") {
      const id2 = item.row.key;
      if (!this.#dirs.has(id2) || (this.#childCount.get(id2) ?? 0) > 0) return false;
      this.#dirs.delete(id2);
      this.leave(id2);
      return true;
    }
    if (!this.canEnter(to)) return false;
    if (type === "mkdir") {
      this.#dirs.add(newDirId(item.key));
      this.enter(newDirId(item.key), to);
      return true;
    }
    const id = item.row.key;
    if (this.#isBelow(to.dir, id)) return false;
    this.leave(id);
    this.enter(id, to);
    return true;
  }
  #isBelow(dir, id) {
    for (let at = dir; at !== void 0; at = this.#places.get(at)?.dir) {
      if (at === id) return true;
    }
    return false;
  }
};
var placeText = ({ dir, name }) => `${dir}/${name}`;

// packages/folder/src/apply/plan.ts
var newDirId = (key) => `+${key}`;
var STAGING_DIR = "*staging";
function plan(input) {
  const groups = linkedKeys(input.items);
  const standing = new Set(input.items.filter(({ row }) => row).map(({ key }) => key));
  const blocked = new Set(input.blocked);
  for (; ; ) {
    const attempt2 = planOnce(input, blocked);
    const before = blocked.size;
    for (const key of attempt2.deferred) {
      if (standing.has(key)) for (const other of groups.get(key) ?? []) blocked.add(other);
    }
    if (blocked.size === before) return attempt2;
  }
}
function planOnce(input, blocked) {
  const items = [...input.items].sort((a, b) => compareText(a.key, b.key));
  const places = new WantedPlaces(items, input.dirs, blocked);
  const moves2 = new Moves(items, input.dirs, input.settled);
  const deferred = /* @__PURE__ */ new Set();
  const contents = [];
  for (const item of items) {
    const { key, row, want } = item;
    if (blocked.has(key)) {
      deferred.add(key);
      continue;
    }
    if (!want) {
      if (!row) moves2.note(item, void 0);
      else if (row.entry.kind === "dir") moves2.rmdir(item);
      else moves2.remove(item);
      continue;
    }
    const to = places.of(item);
    if (!to) {
      deferred.add(key);
      continue;
    }
    if (row) {
      if (!moves2.standsAt(row, to)) moves2.move(item, to);
      else contents.push({ item, to });
    } else if (isContent(want)) contents.push({ item, to });
    else moves2.mkdir(item, to, places.depthOf(item));
  }
  const { steps, left, moved } = moves2.run();
  for (const key of left) deferred.add(key);
  for (const item of items) {
    const to = moved.get(item.key);
    if (to) contents.push({ item, to });
  }
  contents.sort((a, b) => compareText(a.item.key, b.item.key));
  const creations = [];
  for (const { item, to } of contents) {
    const { row } = item;
    const want = item.want;
    if (!row) {
      if (moves2.claim(to)) creations.push({ type: "create", item, to });
      else deferred.add(item.key);
    } else if (contentDiffers(row, want)) creations.push({ type: "replace", item, to });
    else if (executableDiffers(row, want)) creations.push({ type: "chmod", item, to });
    else if (!moved.has(item.key)) creations.push({ type: "note", item, to });
  }
  return { steps: [...steps, ...creations], deferred: [...deferred].sort(compareText) };
}
var WantedPlaces = class {
  constructor(items, dirs, blocked) {
    this.dirs = dirs;
    this.blocked = blocked;
    this.#byKey = new Map(items.map((item) => [item.key, item]));
  }
  dirs;
  blocked;
  #byKey;
  of({ row, want }) {
    const dirKey = want.parent;
    const dir = this.#dirId(dirKey);
    return dir === void 0 ? void 0 : { dir, dirKey, name: wantedLocalName(row, want) };
  }
  #dirId(key) {
    if (key === ROOT) return ROOT;
    const item = this.#byKey.get(key);
    if (!item || this.blocked.has(key) && item.row?.key === key) return this.dirs.has(key) ? key : void 0;
    if (!item.want || this.blocked.has(key)) return void 0;
    return item.row ? item.row.key : newDirId(key);
  }
  depthOf(item) {
    let depth = 0;
    for (let at = item; at?.want; at = this.#byKey.get(at.want.parent)) {
      if (++depth > this.#byKey.size) break;
    }
    return depth;
  }
};

// packages/folder/src/apply/locator.ts
var Locator = class {
  constructor(files, directory, staging, root, rows) {
    this.files = files;
    this.directory = directory;
    this.staging = staging;
    this.root = root;
    for (const { key, dir, localName, fingerprint } of rows) {
      this.set(key, { dir, name: localName }, fingerprint);
    }
  }
  files;
  directory;
  staging;
  root;
  #dirs = /* @__PURE__ */ new Map();
  set(id, place, { dev, ino }) {
    this.#dirs.set(id, { place, dev, ino });
  }
  /** A directory that is about to be made: it has a path, and nobody may go through it before it is `set`. */
  announce(id, place) {
    this.#dirs.set(id, { place, dev: "", ino: "" });
  }
  move(id, place) {
    const dir = this.#dirs.get(id);
    if (dir) dir.place = place;
  }
  remove(id) {
    this.#dirs.delete(id);
  }
  /** Absolute path; `undefined` when a directory above is not known. */
  absolute({ dir, name }) {
    const above = this.absoluteDir(dir);
    return above === void 0 ? void 0 : join(above, name);
  }
  absoluteDir(dir) {
    if (dir === ROOT) return this.directory;
    if (dir === STAGING_DIR) return this.staging;
    const known = this.#dirs.get(dir);
    return known && this.absolute(known.place);
  }
  /** Relative to the bound directory, joined by `/`; what is lifted shows as its bare name. */
  relative({ dir, name }) {
    const above = this.relativeDir(dir);
    return above === "" ? name : `${above}/${name}`;
  }
  relativeDir(dir) {
    const known = this.#dirs.get(dir);
    return known ? this.relative(known.place) : "";
  }
  /**
   * Looks whether each directory from the bound one down to `dir` is a real directory and the one that
   * the rows know. @returns the first that is not, as the relative path of the directory to look at again.
   */
  unsound(dir) {
    if (dir === STAGING_DIR) return void 0;
    if (dir === ROOT) return this.#isSound(this.directory, this.root) ? void 0 : "";
    const known = this.#dirs.get(dir);
    if (!known) return "";
    const above = this.unsound(known.place.dir);
    if (above !== void 0) return above;
    const path = this.absolute(known.place);
    return path !== void 0 && this.#isSound(path, known) ? void 0 : this.relativeDir(known.place.dir);
  }
  #isSound(path, known) {
    const stat = this.files.lstat(path);
    return stat?.kind === "dir" && (!known || stat.dev === known.dev && stat.ino === known.ino);
  }
};
function soundDirs(locator, dirs) {
  return new Map([...dirs].filter(([key]) => locator.unsound(key) === void 0));
}

// packages/folder/src/apply/pair.ts
function pairRows(items) {
  const sorted = [...items].sort((a, b) => compareText(a.key, b.key));
  const free = /* @__PURE__ */ new Map();
  for (const { key, row, want } of sorted) if (row && !want) free.set(key, row);
  if (free.size === 0) return sorted;
  const taken = /* @__PURE__ */ new Map();
  const candidates = new Candidates(free.values());
  for (const relation of [sameNodes, samePlace, sameBytes]) {
    for (const item of sorted) {
      if (item.row || !item.want || taken.has(item.key)) continue;
      const row = candidates.of(item).find((each) => relation(item, each));
      if (!row) continue;
      free.delete(row.key);
      candidates.take(row);
      taken.set(item.key, row);
    }
  }
  return sorted.map((item) => {
    const row = taken.get(item.key);
    if (row) return { ...item, row };
    return item.row && !item.want && !free.has(item.key) ? { ...item, row: void 0 } : item;
  });
}
var Candidates = class {
  #byMark = /* @__PURE__ */ new Map();
  constructor(rows) {
    for (const row of rows) {
      for (const mark of marksOf(row.entry)) {
        const group2 = this.#byMark.get(mark);
        if (group2) group2.push(row);
        else this.#byMark.set(mark, [row]);
      }
    }
  }
  of({ want }) {
    const groups = marksOf(want).map((mark) => this.#byMark.get(mark) ?? []);
    return groups.length === 1 ? groups[0] : groups.flat();
  }
  take(row) {
    for (const mark of marksOf(row.entry)) {
      const group2 = this.#byMark.get(mark);
      group2.splice(group2.indexOf(row), 1);
    }
  }
};
function marksOf({ kind, version, backing, parent, name }) {
  if (version) return [`${kind}:${version.root}`];
  return [...backing.map((node) => `${kind}:${node}`), `${kind}:${parent}/${name}`];
}
var sameNodes = ({ want }, row) => row.entry.backing.some((node) => want.backing.includes(node));
var samePlace = ({ want }, row) => row.entry.parent === want.parent && row.entry.name === want.name;
var sameBytes = ({ want }, row) => want.version !== void 0 && row.entry.version?.root === want.version.root;

// packages/folder/src/apply/report.ts
var Report = class {
  applied = 0;
  deferred = /* @__PURE__ */ new Set();
  #problems = /* @__PURE__ */ new Map();
  #rescan = /* @__PURE__ */ new Set();
  defer(key) {
    this.deferred.add(key);
  }
  rescan(directory) {
    this.#rescan.add(directory);
  }
  problem(problem) {
    this.#problems.set(`${problem.cause}:${problem.path}`, problem);
  }
  result() {
    return {
      applied: this.applied,
      deferred: this.deferred.size,
      problems: [...this.#problems.values()],
      rescan: [...this.#rescan].sort()
    };
  }
};

// packages/folder/src/apply/run.ts
import { dirname, join as join3, relative } from "node:path";

// packages/folder/src/apply/durable.ts
var FSYNC_EACH_MAX = 8;
async function makeDurable(files, paths, volume) {
  if (paths.length > FSYNC_EACH_MAX) {
    try {
      await files.syncAll(volume);
      return;
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
    }
  }
  for (const path of paths) {
    try {
      files.fsync(path);
    } catch (error) {
      const errno = mustBeSystemError(error);
      if (errno !== "ENOENT" && errno !== "ENOTDIR") throw error;
    }
  }
}

// packages/folder/src/apply/effects.ts
import { join as join2 } from "node:path";
var pathOf = ({ directory, name }) => join2(directory, name);
var CHANGED = { done: false, cause: "changed" };
var MOVED_ON = /* @__PURE__ */ new Set(["ENOENT", "ENOTDIR", "EEXIST", "EISDIR", "ELOOP"]);
function attempt(effect) {
  try {
    return effect();
  } catch (error) {
    const errno = mustBeSystemError(error);
    return MOVED_ON.has(errno) ? CHANGED : { done: false, cause: "refused", errno };
  }
}
var Effects = class {
  constructor(files) {
    this.files = files;
  }
  files;
  /** To the trash. */
  remove(at, row, aside) {
    return this.#moveAside(at, row, aside) ? { done: true, stat: void 0 } : CHANGED;
  }
  rmdir(at, row) {
    const path = pathOf(at);
    if (!matchesRow(this.files, path, row)) return CHANGED;
    try {
      this.files.rmdir(path);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOTEMPTY" || errno === "EEXIST") return { done: false, cause: "not-empty" };
      throw error;
    }
    return { done: true, stat: void 0 };
  }
  mkdir(at) {
    const path = pathOf(at);
    try {
      this.files.mkdir(path);
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return CHANGED;
      throw error;
    }
    return this.#shown(path);
  }
  create(at, staged) {
    const path = pathOf(at);
    return placeNew(this.files, staged, path, "file") ? this.#shown(path) : CHANGED;
  }
  createSymlink(at, target) {
    const path = pathOf(at);
    try {
      this.files.symlink(target, path);
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return CHANGED;
      throw error;
    }
    return this.#shown(path);
  }
  /** The old content goes aside, the new one in; the name is missing only between two system calls. */
  replace(at, row, aside, create) {
    if (!this.#moveAside(at, row, aside)) return CHANGED;
    let outcome;
    try {
      outcome = create();
    } catch (error) {
      mustBeSystemError(error);
      placeNew(this.files, aside, pathOf(at), row.entry.kind === "file" ? "file" : "symlink");
      throw error;
    }
    return outcome;
  }
  chmod(at, row, mode) {
    const path = pathOf(at);
    if (!matchesRow(this.files, path, row)) return CHANGED;
    this.files.chmod(path, mode);
    return this.#shown(path);
  }
  /**
   * A directory by rename; a file by a second name, then the first one is taken away and looked at.
   *
   * @param scratch A free path in staging.
   */
  move(from, to, row, scratch) {
    const [source, target] = [pathOf(from), pathOf(to)];
    if (!matchesRow(this.files, source, row) || this.files.lstat(target)) return CHANGED;
    if (row.entry.kind !== "file") {
      this.files.rename(source, target);
      const stat = this.files.lstat(target);
      if (stat && stat.dev === row.fingerprint.dev && stat.ino === row.fingerprint.ino) return { done: true, stat };
      putBack(this.files, target, from.directory, from.name);
      return CHANGED;
    }
    if (!this.#linked(source, target)) {
      if (!placeNew(this.files, source, target, "file")) return CHANGED;
    } else if (!this.#takeFirstName(from, to, row, scratch)) return CHANGED;
    return this.#shown(target);
  }
  /** @returns false where a second name cannot be given: then the caller renames. */
  #linked(source, target) {
    try {
      this.files.link(source, target);
      return true;
    } catch (error) {
      const errno = mustBeSystemError(error);
      if (errno === "EEXIST" || errno === "ENOENT") throw error;
      return false;
    }
  }
  /** Someone may have saved over the first name since the second was given: then that is the user's. */
  #takeFirstName(from, to, row, scratch) {
    try {
      this.files.rename(pathOf(from), scratch);
    } catch (error) {
      mustBeSystemError(error);
      this.#takeSecondName(to, row, scratch);
      throw error;
    }
    if (this.#isRow(scratch, row)) {
      this.files.unlink(scratch);
      return true;
    }
    putBack(this.files, scratch, from.directory, from.name);
    this.#takeSecondName(to, row, scratch);
    return false;
  }
  #takeSecondName(to, row, scratch) {
    this.files.rename(pathOf(to), scratch);
    if (this.#isRow(scratch, row)) this.files.unlink(scratch);
    else putBack(this.files, scratch, to.directory, to.name);
  }
  #isRow(path, { fingerprint }) {
    const stat = this.files.lstat(path);
    return stat !== void 0 && stat.dev === fingerprint.dev && stat.ino === fingerprint.ino;
  }
  #moveAside(at, row, aside) {
    const path = pathOf(at);
    if (!matchesRow(this.files, path, row)) return false;
    this.files.rename(path, aside);
    const stat = this.files.lstat(aside);
    if (stat && sameFile(stat, row.fingerprint)) return true;
    putBack(this.files, aside, at.directory, at.name);
    return false;
  }
  #shown(path) {
    const stat = this.files.lstat(path);
    return stat ? { done: true, stat } : CHANGED;
  }
};

// packages/folder/src/apply/journal.ts
var BATCH_KEY = "apply/batch";
var LIFT_PREFIX = "apply/lift/";
var encoder3 = new TextEncoder();
var decoder3 = new TextDecoder();
var batchPut = (intents) => ({
  type: "put",
  key: BATCH_KEY,
  value: encoder3.encode(JSON.stringify(intents.map(packIntent)))
});
var batchDel = { type: "del", key: BATCH_KEY };
var liftPut = (lift) => ({
  type: "put",
  key: LIFT_PREFIX + lift.row.key,
  value: encoder3.encode(JSON.stringify(lift))
});
var liftDel = (rowKey) => ({ type: "del", key: LIFT_PREFIX + rowKey });
function packIntent(intent) {
  const { shown, ...rest } = intent;
  if (!shown) return rest;
  const nodes = shown.nodes.map((node) => Buffer.from(encodeNodeEntry(node)).toString("base64"));
  return { ...rest, shown: { ...shown, nodes } };
}

// packages/folder/src/apply/problems.ts
var noSpace = (path, neededBytes) => ({
  path,
  cause: "no-space",
  detail: `needs ${mib(neededBytes)} and a reserve of 64 MiB, the volume has less`,
  fix: "free some space; it is tried again by itself"
});
var waitingForBytes = (path) => ({
  path,
  cause: "waiting-for-bytes",
  detail: "no peer that is connected now holds these bytes",
  fix: "connect the device that made this version, or restore an older one"
});
var refusedByDisk = (path, errno) => ({
  path,
  cause: errno === "ENOSPC" || errno === "EDQUOT" ? "no-space" : "cannot-write",
  detail: `the file system refused: ${errno}`,
  fix: "check permissions and free space; it is tried again by itself"
});
var keepsIgnored = (path) => ({
  path,
  cause: "not-empty",
  detail: "deleted elsewhere, but it holds files that are ignored here",
  fix: "remove or move the ignored files; the directory goes by itself then"
});

// packages/folder/src/apply/run.ts
var BATCH_STEPS_MAX = 2048;
var SLICE_STEPS = 128;
var Run = class {
  constructor(tools, plan2) {
    this.tools = tools;
    this.plan = plan2;
    this.#effects = new Effects(tools.ctx.files);
    const items = /* @__PURE__ */ new Map();
    for (const step of plan2.steps) {
      items.set(step.item.key, step.item);
      this.#lastStep.set(step.item.key, step);
      this.#rows.set(step.item.key, step.item.row);
      this.#stored.set(step.item.key, step.item.row);
      const { row } = step.item;
      if (row) this.#places.set(step.item.key, { dir: row.dir, name: row.localName });
    }
    this.#items = items;
    this.#groups = linkedKeys([...items.values()]);
  }
  tools;
  plan;
  #effects;
  /** What stands for each item now; differs from its first row as steps are done. */
  #rows = /* @__PURE__ */ new Map();
  /** The same, as the database has it. */
  #stored = /* @__PURE__ */ new Map();
  #lastStep = /* @__PURE__ */ new Map();
  #failed = /* @__PURE__ */ new Set();
  #groups;
  /** Their last step is done. */
  #finished = /* @__PURE__ */ new Set();
  /** Their registers are taken over. */
  #shown = /* @__PURE__ */ new Set();
  /** Where each item's thing stands, in terms of directories on disk. */
  #places = /* @__PURE__ */ new Map();
  #lifted = /* @__PURE__ */ new Set();
  #items;
  /** @throws the signal's reason, between two groups. */
  async execute(signal) {
    for (const key of this.plan.deferred) this.tools.report.defer(key);
    try {
      for (const batch of batches(this.plan.steps)) {
        signal.throwIfAborted();
        await this.#runBatch(batch);
      }
    } finally {
      if (this.#lifted.size > 0) await this.#putBackLifted();
    }
    for (const key of this.#finished) if (!this.#shown.has(key)) this.tools.report.defer(key);
  }
  async #runBatch(steps) {
    const { ctx } = this.tools;
    const prepared = [];
    for (const step of steps) {
      if (this.#failed.has(step.item.key)) continue;
      const each = this.#tryPrepare(step);
      if (each) prepared.push(each);
      else this.#fail(step.item, "");
    }
    if (prepared.length === 0) return;
    const effective = prepared.filter(({ step }) => step.type !== "note");
    if (effective.length > 0) {
      await makeDurable(ctx.files, stagedPaths(prepared, ctx.directory), ctx.staging);
      await ctx.space.writeRows(this.#journal(effective.map(({ intent }) => intent)), { sync: true });
    }
    ctx.expectHints(touchedDirs(ctx.directory, effective));
    const asides = [];
    const done = [];
    for (const [i, each] of prepared.entries()) {
      if (i % SLICE_STEPS === SLICE_STEPS - 1) await new Promise((resolve) => setImmediate(resolve));
      if (this.#failed.has(each.step.item.key)) continue;
      const outcome = await this.#perform(each);
      if (!outcome.done) this.#explain(each, outcome);
      else {
        this.#record(each, outcome.stat);
        done.push(each);
        const aside = asideOf(each, ctx);
        if (aside) asides.push(aside);
      }
    }
    if (effective.length > 0) {
      await makeDurable(ctx.files, durablePaths(done), ctx.directory);
      this.#rescueLateWrites(asides);
    }
    await this.#store(prepared, done, effective.length > 0);
  }
  #tryPrepare(step) {
    try {
      return this.#prepare(step);
    } catch (error) {
      this.tools.report.problem(refusedByDisk(step.item.want?.name ?? "", mustBeSystemError(error)));
      return void 0;
    }
  }
  #prepare(step) {
    const { locator, trash, staging, ctx, staged } = this.tools;
    const { item } = step;
    const row = this.#rows.get(item.key);
    const target = "to" in step ? step.to : void 0;
    const isLift = step.type === "lift";
    const fromPlace = this.#places.get(item.key);
    if (step.type === "mkdir") locator.announce(newDirId(item.key), step.to);
    const toPlace = isLift ? { dir: STAGING_DIR, name: liftName(row) } : target;
    const [from, to] = [fromPlace && this.#spot(fromPlace), toPlace && this.#spot(toPlace)];
    if (fromPlace && !from || toPlace && !to) return void 0;
    let aside;
    if (step.type === "remove" || step.type === "replace") {
      aside = trash.placeFor(locator.relative(fromPlace));
    } else if (changesPlace(step) && row.entry.kind === "file") {
      aside = staging.scratch();
    }
    const content = step.type === "create" || step.type === "replace" ? staged.get(item.key) : void 0;
    const rel = (path) => relative(ctx.directory, path);
    const isLast = this.#lastStep.get(item.key) === step;
    const intent = {
      type: step.type,
      key: item.key,
      ...row ? { rowKey: row.key } : {},
      ...target && !isLift ? { after: { dir: target.dirKey, localName: target.name, entry: this.#entryAfter(item, isLast, row) } } : {},
      ...isLast ? { shown: { ...item.want ? { as: item.want } : {}, nodes: item.nodes } } : {},
      ...from ? { from: rel(pathOf(from)) } : {},
      ...to ? { to: rel(pathOf(to)) } : {},
      ...aside ? { aside: rel(aside) } : {},
      ...content ? { staged: { path: rel(content.path), fingerprint: content.fingerprint } } : {}
    };
    const through = [fromPlace?.dir, toPlace?.dir].filter((dir) => dir !== void 0);
    return { step, intent, from, to, aside, through };
  }
  #entryAfter(item, isLast, row) {
    return isLast || !row ? item.want : row.entry;
  }
  #spot(place) {
    const directory = this.tools.locator.absoluteDir(place.dir);
    return directory === void 0 ? void 0 : { directory, name: place.name };
  }
  #journal(intents) {
    const ops = [batchPut(intents)];
    for (const { type, key, to } of intents) {
      if (type === "lift") ops.push(liftPut({ row: this.#rows.get(key), path: to }));
    }
    return ops;
  }
  #perform(each) {
    const { step, from, to, aside } = each;
    for (const dir of each.through) {
      const unsound = this.tools.locator.unsound(dir);
      if (unsound === void 0) continue;
      this.tools.report.rescan(unsound);
      return { done: false, cause: "changed" };
    }
    const row = this.#rows.get(step.item.key);
    const effects = this.#effects;
    switch (step.type) {
      case "note":
        return { done: true, stat: void 0 };
      case "remove":
        return attempt(() => effects.remove(from, row, aside));
      case "rmdir":
        return attempt(() => effects.rmdir(from, row));
      case "mkdir": {
        const outcome = attempt(() => effects.mkdir(to));
        return outcome.done || outcome.cause !== "changed" ? outcome : this.#adoptDirectory(to);
      }
      case "lift":
      case "move":
      case "land":
        return attempt(() => effects.move(from, to, row, aside ?? ""));
      case "create":
        return attempt(() => this.#createContent(step.item, to));
      case "replace":
        return attempt(
          () => effects.replace(from, row, aside, () => this.#createContent(step.item, to))
        );
      case "chmod":
        return attempt(
          () => effects.chmod(to, row, modeFor(row.fingerprint.mode, step.item.want.executable))
        );
    }
  }
  #createContent({ key, want }, to) {
    const target = want.version?.target;
    if (want.kind === "symlink") return this.#effects.createSymlink(to, target ?? "");
    return this.#effects.create(to, this.tools.staged.get(key).path);
  }
  /** Somebody made the same directory: then it is this one, unless the rows know it as another. */
  async #adoptDirectory(to) {
    const stat = this.tools.ctx.files.lstat(pathOf(to));
    if (stat?.kind !== "dir") return { done: false, cause: "changed" };
    const known = await this.tools.ctx.rows.byInode(stat.dev, stat.ino);
    if (known.length > 0) return { done: false, cause: "changed" };
    this.tools.report.rescan(relative(this.tools.ctx.directory, pathOf(to)));
    return { done: true, stat };
  }
  #explain({ step, from, to }, outcome) {
    const { ctx, report } = this.tools;
    const spot = from ?? to;
    const path = relative(ctx.directory, pathOf(spot));
    if (outcome.cause === "refused") report.problem(refusedByDisk(path, outcome.errno));
    if (outcome.cause === "not-empty" && this.#holdsOnlyIgnored(path)) report.problem(keepsIgnored(path));
    this.#fail(step.item, outcome.cause === "not-empty" ? path : relative(ctx.directory, spot.directory));
    if (to && outcome.cause === "changed") report.rescan(relative(ctx.directory, to.directory));
  }
  #holdsOnlyIgnored(path) {
    const { files, directory, isIgnored } = this.tools.ctx;
    return files.readdir(join3(directory, path)).every((bytes) => {
      const name = Buffer.from(bytes).toString("utf8");
      return isIgnored(`${path}/${name}`, files.lstat(join3(directory, path, name))?.kind === "dir");
    });
  }
  #fail({ key }, rescan) {
    this.#failed.add(key);
    this.tools.report.defer(key);
    if (!rescan.startsWith(".tidemark")) this.tools.report.rescan(rescan);
  }
  /** Updates the models of places and rows after an effect. */
  #record({ step }, stat) {
    const { locator } = this.tools;
    const { item } = step;
    const row = this.#rows.get(item.key);
    if (step.type === "remove" || step.type === "rmdir" || !("to" in step) || !step.to) {
      if (row) locator.remove(row.key);
      this.#rows.set(item.key, void 0);
      this.#places.delete(item.key);
      return;
    }
    if (step.type === "lift") {
      this.#lifted.add(item.key);
      const place = { dir: STAGING_DIR, name: liftName(row) };
      this.#places.set(item.key, place);
      locator.move(row.key, place);
      this.#rows.set(item.key, { ...row, dir: place.dir, localName: place.name, fingerprint: fresh(row, stat) });
      return;
    }
    this.#lifted.delete(item.key);
    this.#places.set(item.key, step.to);
    if (step.type === "mkdir") locator.set(newDirId(item.key), step.to, stat);
    else if (row) locator.move(row.key, step.to);
    const isLast = this.#lastStep.get(item.key) === step;
    this.#rows.set(item.key, this.#rowAfter(step, step.to, row, stat, isLast));
  }
  #rowAfter(step, to, row, stat, isLast) {
    const { item } = step;
    const isNewContent = step.type === "create" || step.type === "replace" || step.type === "mkdir";
    return {
      key: isLast || !row ? item.key : row.key,
      dir: to.dirKey,
      localName: to.name,
      entry: this.#entryAfter(item, isLast, row),
      fingerprint: !stat ? row.fingerprint : isNewContent ? stamps(stat) : fresh(row, stat),
      ...row?.racy && !isNewContent ? { racy: true } : {}
    };
  }
  /** What could not land goes back, beside its old place if that is taken meanwhile. */
  async #putBackLifted() {
    const { ctx, locator, report } = this.tools;
    for (const key of this.#lifted) {
      const old = this.#items.get(key).row;
      const staged = this.#rows.get(key);
      const hasDir = locator.unsound(old.dir) === void 0;
      const dir = hasDir ? old.dir : ROOT;
      const directory = locator.absoluteDir(dir);
      const from = join3(ctx.staging, staged.localName);
      const localName = putBack(ctx.files, from, directory, old.localName);
      const stat = ctx.files.lstat(join3(directory, localName));
      const after = { ...old, dir: this.#dirKey(dir), localName, fingerprint: stat ? fresh(old, stat) : old.fingerprint };
      await makeDurable(ctx.files, [directory], ctx.directory);
      const ops = [...rowOps([{ before: this.#stored.get(key), after }]), liftDel(old.key)];
      await ctx.space.writeRows(ops, { sync: false });
      report.defer(key);
      report.rescan(relative(ctx.directory, directory));
    }
  }
  /** The key that rows below a directory have as their `dir` now. */
  #dirKey(dir) {
    for (const { key, row } of this.#items.values()) {
      if (row?.key === dir && this.#shown.has(key)) return key;
    }
    return dir;
  }
  /** Old content that was written to after it went aside: its writer had it open, and gets it back. */
  #rescueLateWrites(asides) {
    const { ctx, report } = this.tools;
    for (const { path, at, dir, stat } of asides) {
      const now = ctx.files.lstat(path);
      if (!now || untouched(now, stat)) continue;
      putBack(ctx.files, path, at.directory, at.name);
      report.rescan(dir);
    }
  }
  async #store(prepared, done, journaled) {
    const { ctx, report } = this.tools;
    for (const { step } of done) {
      if (this.#lastStep.get(step.item.key) === step) this.#finished.add(step.item.key);
    }
    const keys = new Set(prepared.map(({ step }) => step.item.key));
    const shown = [];
    const changes = [];
    const lifts = [];
    for (const key of withGroups(keys, this.#groups)) {
      const item = this.#items.get(key);
      if (!item) continue;
      if (this.#shown.has(key)) continue;
      const isShown = this.#finished.has(key) && this.#groupIsDone(key);
      const after = isShown || !this.#finished.has(key) ? this.#rows.get(key) : this.#heldRow(item);
      if (after !== this.#stored.get(key)) changes.push({ before: this.#stored.get(key), after });
      this.#stored.set(key, after);
      if (!isShown) continue;
      this.#shown.add(key);
      shown.push({ key, as: item.want, nodes: item.nodes });
    }
    for (const { step } of done) if (step.type === "land") lifts.push(liftDel(step.item.row.key));
    const ops = [...rowOps(changes), ...lifts, ...journaled ? [batchDel] : []];
    await ctx.space.materialised(shown, ops, { sync: false });
    report.applied += shown.length;
    for (const { key } of shown) report.deferred.delete(key);
    for (const { step, from, to } of done) {
      if (step.type === "note") continue;
      ctx.onEvent({ type: "applied", path: relative(ctx.directory, pathOf(to ?? from)), detail: step.type });
    }
  }
  /**
   * Whether all that must reach the disk together with this item has. What never stood on disk and waits
   * holds nobody back.
   */
  #groupIsDone(key) {
    for (const other of this.#groups.get(key) ?? []) {
      const item = this.#items.get(other);
      if (!item || !this.#lastStep.has(other) || this.#finished.has(other)) continue;
      if (this.#failed.has(other) && !item.row) continue;
      return false;
    }
    return true;
  }
  /** The disk shows the new state, but its registers are not taken over yet: the entry stays what it was. */
  #heldRow(item) {
    const row = this.#rows.get(item.key);
    return row && { ...row, key: item.row?.key ?? item.key, entry: item.row?.entry ?? row.entry };
  }
};
function* batches(steps) {
  let batch = [];
  const keys = /* @__PURE__ */ new Set();
  for (const step of steps) {
    const alone = movesDirectory(step);
    if (batch.length > 0 && (alone || batch.length === BATCH_STEPS_MAX || keys.has(step.item.key))) {
      yield batch;
      batch = [];
      keys.clear();
    }
    if (alone) yield [step];
    else {
      batch.push(step);
      keys.add(step.item.key);
    }
  }
  if (batch.length > 0) yield batch;
}
var changesPlace = ({ type }) => type === "move" || type === "lift" || type === "land";
var movesDirectory = (step) => changesPlace(step) && (step.type !== "move" || step.item.row.entry.kind === "dir");
var liftName = (row) => `lift-${row.key.replace(":", "-")}`;
var stagedPaths = (prepared, directory) => prepared.flatMap(({ intent }) => intent.staged ? [join3(directory, intent.staged.path)] : []);
function durablePaths(done) {
  const paths = /* @__PURE__ */ new Set();
  for (const { step, from, to, aside } of done) {
    if (step.type === "note") continue;
    if (from) paths.add(from.directory);
    if (to) paths.add(to.directory);
    if (aside) paths.add(dirname(aside));
  }
  return [...paths];
}
function touchedDirs(directory, prepared) {
  const dirs = /* @__PURE__ */ new Set();
  for (const { from, to } of prepared) {
    if (from) dirs.add(relative(directory, from.directory));
    if (to) dirs.add(relative(directory, to.directory));
  }
  return [...dirs];
}
function asideOf({ step, from, aside }, ctx) {
  if (step.type !== "remove" && step.type !== "replace") return void 0;
  if (step.item.row.entry.kind !== "file") return void 0;
  const stat = ctx.files.lstat(aside);
  return stat && { path: aside, at: from, dir: relative(ctx.directory, from.directory), stat };
}
function withGroups(keys, groups) {
  const all = new Set(keys);
  for (const key of keys) for (const other of groups.get(key) ?? []) all.add(other);
  return all;
}
function stamps(stat) {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink } = stat;
  return { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink };
}
function fresh(row, stat) {
  const old = row.fingerprint;
  if (stat.kind !== "dir" && (stat.size !== old.size || stat.mtimeNs !== old.mtimeNs)) return old;
  return stamps(stat);
}

// packages/folder/src/apply/fetch-small.ts
var GROUP_FILES_MAX = 500;
var GROUP_BYTES_MAX = 8 * 1024 * 1024;
async function fetchInGroups(space, files, use, signal) {
  const groups = group(files);
  const start = (roots) => {
    const fetched = roots && space.fetchSmall(roots, { signal });
    fetched?.catch(() => {
    });
    return fetched;
  };
  let next = start(groups[0]);
  for (let i = 0; i < groups.length; i++) {
    const fetched = await next;
    next = start(groups[i + 1]);
    for (const [root, bytes] of fetched) use(root, bytes);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
function group(files) {
  const groups = [];
  const seen = /* @__PURE__ */ new Set();
  let bytes = 0;
  for (const { root, size } of files) {
    if (seen.has(root)) continue;
    seen.add(root);
    const last = groups.at(-1);
    if (!last || last.length === GROUP_FILES_MAX || bytes + size > GROUP_BYTES_MAX) {
      groups.push([root]);
      bytes = size;
    } else {
      last.push(root);
      bytes += size;
    }
  }
  return groups;
}

// packages/folder/src/apply/stage.ts
var isSmall = ({ height, size }) => height === 0 && size <= INLINE_BYTES_MAX;
async function stage(ctx, area, downloads, items, report, pathOf2, signal) {
  const result = { staged: /* @__PURE__ */ new Map(), waiting: /* @__PURE__ */ new Set() };
  const room = new Room(ctx.files, ctx.staging);
  const small = /* @__PURE__ */ new Map();
  const sizes = [];
  for (const item of items.filter(needsBytes)) {
    const { key, want } = item;
    const version = want.version;
    if (!isSmall(version)) {
      takeDownload(ctx, area, downloads, item, result, report, pathOf2);
    } else if (!room.take(version.size)) {
      report.problem(noSpace(pathOf2(item), version.size));
      result.waiting.add(key);
    } else if (version.size === 0) write(ctx, area, item, new Uint8Array(0), result, report, pathOf2);
    else {
      const sharing = small.get(version.root);
      if (sharing) sharing.push(item);
      else {
        small.set(version.root, [item]);
        sizes.push({ root: version.root, size: version.size });
      }
    }
  }
  const use = (root, bytes) => {
    for (const item of small.get(root) ?? []) write(ctx, area, item, bytes, result, report, pathOf2);
  };
  try {
    await fetchInGroups(ctx.space, sizes, use, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SyncError)) throw error;
  }
  for (const item of [...small.values()].flat()) {
    if (result.staged.has(item.key) || result.waiting.has(item.key)) continue;
    result.waiting.add(item.key);
    report.problem(waitingForBytes(pathOf2(item)));
  }
  return result;
}
function needsBytes({ row, want }) {
  return want?.kind === "file" && want.version !== void 0 && (!row || contentDiffers(row, want));
}
function modeOf({ row, want }) {
  const executable = want.executable;
  if (row) return modeFor(row.fingerprint.mode, executable);
  return executable ? EXECUTABLE_MODE : FILE_MODE;
}
function write(ctx, area, item, bytes, result, report, pathOf2) {
  try {
    const mode = modeOf(item);
    let staged = area.write(bytes, mode, item.want.version.mtimeMs);
    if (item.row && staged.fingerprint.mode !== mode) {
      ctx.files.chmod(staged.path, mode);
      staged = { path: staged.path, fingerprint: ctx.files.lstat(staged.path) };
    }
    result.staged.set(item.key, staged);
  } catch (error) {
    report.problem(refusedByDisk(pathOf2(item), mustBeSystemError(error)));
    result.waiting.add(item.key);
  }
}
function takeDownload(ctx, area, downloads, item, result, report, pathOf2) {
  const version = item.want.version;
  const path = area.partPath(version.root);
  const isTaken = [...result.staged.values()].some((staged) => staged.path === path);
  const download = isTaken ? { state: "running" } : downloads.ask(ctx, area, version);
  if (download.state === "complete") {
    try {
      ctx.files.chmod(path, modeOf(item));
      ctx.files.setMtime(path, version.mtimeMs);
      result.staged.set(item.key, { path, fingerprint: ctx.files.lstat(path) });
      return;
    } catch (error) {
      report.problem(refusedByDisk(pathOf2(item), mustBeSystemError(error)));
    }
  } else if (download.state === "missing") report.problem(waitingForBytes(pathOf2(item)));
  else if (download.state === "no-space") report.problem(noSpace(pathOf2(item), version.size));
  else if (download.state === "refused") report.problem(refusedByDisk(pathOf2(item), download.errno));
  result.waiting.add(item.key);
}

// packages/folder/src/apply/staging.ts
import { join as join4 } from "node:path";
var NEW_PREFIX = "new-";
var PART_PREFIX = "part-";
var SCRATCH_PREFIX = "hold-";
var StagingArea = class {
  constructor(files, directory, nowMs) {
    this.files = files;
    this.directory = directory;
    this.nowMs = nowMs;
  }
  files;
  directory;
  nowMs;
  #count = 0;
  /** Writes a small file. @throws system errors. */
  write(bytes, mode, mtimeMs) {
    for (; ; ) {
      const path = this.#next(NEW_PREFIX);
      try {
        const fingerprint = this.files.writeNew(path, bytes, { mode, mtimeMs });
        return { path, fingerprint };
      } catch (error) {
        if (errnoOf(error) !== "EEXIST") throw error;
      }
    }
  }
  partPath(root) {
    return join4(this.directory, `${PART_PREFIX}${root}`);
  }
  /** A free path for something that is the user's. */
  scratch() {
    for (; ; ) {
      const path = this.#next(SCRATCH_PREFIX);
      if (!this.files.lstat(path)) return path;
    }
  }
  #next(prefix) {
    return join4(this.directory, `${prefix}${this.nowMs().toString(36)}-${this.#count++}`);
  }
};

// packages/folder/src/apply/trash.ts
import { join as join5 } from "node:path";
var TRASH_AGE_MS_MAX = 30 * 24 * 36e5;
var Trash = class {
  constructor(files, directory, nowMs) {
    this.files = files;
    this.directory = directory;
    this.nowMs = nowMs;
  }
  files;
  directory;
  nowMs;
  #group;
  #made = /* @__PURE__ */ new Set();
  /**
   * A free place for what stands at this relative path; the directories above it exist.
   * @returns absolute path.
   */
  placeFor(relativePath) {
    const names = relativePath.split("/");
    const name = names.pop();
    let above = this.#openGroup();
    for (const each of names) {
      above = join5(above, each);
      this.#makeDirectory(above);
    }
    for (let n = 0; ; n++) {
      const path = join5(above, n === 0 ? name : `${name}.${n}`);
      if (!this.#made.has(path) && !this.files.lstat(path)) {
        this.#made.add(path);
        return path;
      }
    }
  }
  /** The next thing goes to a new group. */
  closeGroup() {
    this.#group = void 0;
    this.#made.clear();
  }
  #openGroup() {
    if (this.#group !== void 0) return this.#group;
    for (let n = 0; ; n++) {
      const group2 = join5(this.directory, `${this.nowMs()}-${n}`);
      if (this.files.lstat(group2)) continue;
      this.files.mkdir(group2);
      this.#group = group2;
      return group2;
    }
  }
  #makeDirectory(path) {
    if (this.#made.has(path)) return;
    try {
      this.files.mkdir(path);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    this.#made.add(path);
  }
};

// packages/folder/src/apply/apply-remote.ts
var ENTRIES_MAX = 2048;
async function applyRemote(ctx, signal, downloads) {
  if (downloads) return (await applyOnce(ctx, signal, downloads)).result();
  const own = new Downloads();
  const stop = () => void own.close();
  signal.addEventListener("abort", stop);
  try {
    let report = await applyOnce(ctx, signal, own);
    let applied = report.applied;
    while (!own.isIdle) {
      await own.next();
      signal.throwIfAborted();
      report = await applyOnce(ctx, signal, own);
      applied += report.applied;
    }
    return { ...report.result(), applied };
  } finally {
    signal.removeEventListener("abort", stop);
    await own.close();
  }
}
async function applyOnce(ctx, signal, downloads) {
  const report = new Report();
  const area = new StagingArea(ctx.files, ctx.staging, () => ctx.clock.nowMs());
  const trash = new Trash(ctx.files, ctx.trash, () => ctx.clock.nowMs());
  const root = await ctx.rows.root();
  const seen = /* @__PURE__ */ new Set();
  for (; ; ) {
    signal.throwIfAborted();
    const keys = (await ctx.space.dirty(ENTRIES_MAX + seen.size)).filter((key) => !seen.has(key));
    if (keys.length === 0) return report;
    const batch = await gather(ctx, keys.slice(0, ENTRIES_MAX));
    for (const { key } of batch.items) seen.add(key);
    for (const key of keys.slice(0, ENTRIES_MAX)) seen.add(key);
    const locator = new Locator(ctx.files, ctx.directory, ctx.staging, root, batch.dirs.values());
    await applyBatch({ ctx, signal, downloads, report, area, trash, locator }, batch);
  }
}
async function applyBatch(tools, batch) {
  const { ctx, signal, downloads, report, area, trash, locator } = tools;
  const paths = new WantedPaths(batch, locator);
  const visible = await dropHidden(ctx, batch.items, paths);
  const items = pairRows(visible);
  const dirs = soundDirs(locator, batch.dirs);
  const changed = changedOnDisk(tools, items);
  const free = items.filter(({ key }) => !changed.has(key));
  const { staged, waiting } = await stage(ctx, area, downloads, free, report, (item) => paths.of(item), signal);
  try {
    const blocked = /* @__PURE__ */ new Set([...changed, ...waiting]);
    const steps = plan({ items, dirs, settled: batch.settled, blocked });
    await new Run({ ctx, locator, trash, staging: area, staged, report }, steps).execute(signal);
  } finally {
    removeUnused(ctx, area, staged);
  }
}
function changedOnDisk({ ctx, locator, report }, items) {
  const changed = /* @__PURE__ */ new Set();
  for (const item of items) {
    const { key, row, want } = item;
    if (!row || want && !moves(item) && !contentDiffers(row, want) && !executableDiffers(row, want)) continue;
    const unsound = locator.unsound(row.dir);
    const place = { dir: row.dir, name: row.localName };
    if (unsound === void 0 && isAsRow(ctx, locator.absolute(place), row)) continue;
    changed.add(key);
    report.rescan(unsound ?? locator.relativeDir(row.dir));
  }
  return changed;
}
function isAsRow(ctx, path, row) {
  try {
    return matchesRow(ctx.files, path, row);
  } catch (error) {
    mustBeSystemError(error);
    return false;
  }
}
var moves = ({ row, want }) => row.dir !== want.parent || row.localName !== wantedLocalName(row, want);
var WantedPaths = class {
  constructor({ items }, locator) {
    this.locator = locator;
    this.#byKey = new Map(items.map((item) => [item.key, item]));
  }
  locator;
  #byKey;
  of({ row, want }) {
    return want ? this.#wanted(want, wantedLocalName(row, want)) : this.current(row);
  }
  current(row) {
    return this.locator.relative({ dir: row.dir, name: row.localName });
  }
  #wanted(entry, name) {
    const names = [name];
    let dir = entry.parent;
    for (let depth = 0; dir !== ROOT && depth <= this.#byKey.size; depth++) {
      const item = this.#byKey.get(dir);
      if (!item?.want) return [this.locator.relativeDir(dir), ...names].filter((each) => each !== "").join("/");
      names.unshift(wantedLocalName(item.row, item.want));
      dir = item.want.parent;
    }
    return names.join("/");
  }
};
async function dropHidden(ctx, items, paths) {
  const kept = [];
  const shown = [];
  const changes = [];
  for (const item of items) {
    const { key, row, want, nodes } = item;
    const isDirectory = (want ?? row?.entry)?.kind === "dir";
    const standsHidden = row !== void 0 && ctx.isIgnored(paths.current(row), isDirectory);
    const isHidden = want !== void 0 && (want.kind === "mount" || isReserved(paths.of(item)) || ctx.isIgnored(paths.of(item), isDirectory));
    if (!standsHidden && !isHidden) kept.push(item);
    else if (row && !standsHidden && !isDirectory) kept.push({ ...item, want: void 0 });
    else {
      shown.push({ key, as: want, nodes });
      const after = row && want && isDirectory ? { ...row, entry: want } : void 0;
      if (row) changes.push({ before: row, after });
    }
  }
  if (shown.length > 0) await ctx.space.materialised(shown, rowOps(changes), { sync: false });
  return kept;
}
var isReserved = (path) => path.split("/")[0] === RESERVED_NAME;
function removeUnused(ctx, area, staged) {
  for (const { path } of staged.values()) {
    if (path.startsWith(join6(area.directory, "part-")) || !ctx.files.lstat(path)) continue;
    ctx.files.unlink(path);
  }
}

// packages/folder/src/apply/testing/world.ts
import * as fs2 from "node:fs";
import { tmpdir } from "node:os";
import { join as join7 } from "node:path";

// packages/folder/src/adapters/node-file-system.ts
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import { promisify } from "node:util";
var run = promisify(execFile);
var { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
var nodeFileSystem = {
  lstat(path) {
    try {
      const stats = fs.lstatSync(path, { bigint: true, throwIfNoEntry: false });
      return stats && toStat(stats);
    } catch (error) {
      if (errnoOf2(error) === "ENOTDIR") return void 0;
      throw error;
    }
  },
  readdir: (path) => fs.readdirSync(path, { encoding: "buffer" }),
  readlink: (path) => fs.readlinkSync(path, { encoding: "buffer" }),
  readFile(path) {
    const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      return fs.readFileSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  },
  mkdir(path, mode = 511) {
    fs.mkdirSync(path, { mode });
  },
  rmdir: (path) => fs.rmdirSync(path),
  rename: (from, to) => fs.renameSync(from, to),
  link: (from, to) => fs.linkSync(from, to),
  unlink: (path) => fs.unlinkSync(path),
  symlink: (target, path) => fs.symlinkSync(target, path),
  chmod: (path, mode) => fs.chmodSync(path, mode),
  setMtime: (path, mtimeMs) => fs.lutimesSync(path, mtimeMs / 1e3, mtimeMs / 1e3),
  writeNew(path, bytes, { mode, mtimeMs }) {
    const fd = fs.openSync(path, "wx", mode);
    try {
      for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
      if (mtimeMs !== void 0) fs.futimesSync(fd, mtimeMs / 1e3, mtimeMs / 1e3);
      return toStat(fs.fstatSync(fd, { bigint: true }));
    } finally {
      fs.closeSync(fd);
    }
  },
  open(path, flags, mode = 438) {
    const bits = flags === "r" ? O_RDONLY | O_NONBLOCK : O_RDWR | O_CREAT;
    return new NodeOpenFile(fs.openSync(path, bits | O_NOFOLLOW, mode));
  },
  fsync(path) {
    if (process.platform === "win32" && fs.lstatSync(path).isDirectory()) return;
    const fd = fs.openSync(path, process.platform === "win32" ? "r+" : "r");
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  },
  async syncAll(path) {
    await run("sync", ["-f", path]);
  },
  room(path) {
    const { bavail, bsize, blocks } = fs.statfsSync(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }
};
var NodeOpenFile = class {
  #fd;
  #pending = 0;
  #drained;
  constructor(fd) {
    this.#fd = fd;
  }
  stat() {
    return toStat(fs.fstatSync(this.#mustFd(), { bigint: true }));
  }
  read(offset, length) {
    return this.#during(async (fd) => {
      const bytes = Buffer.allocUnsafeSlow(length);
      let done = 0;
      while (done < length) {
        const count = await readAt(fd, bytes, done, offset + done);
        if (count === 0) break;
        done += count;
      }
      return bytes.subarray(0, done);
    });
  }
  write(offset, bytes) {
    return this.#during(async (fd) => {
      for (let done = 0; done < bytes.length; ) done += await writeAt(fd, bytes, done, offset + done);
    });
  }
  truncate(size) {
    fs.ftruncateSync(this.#mustFd(), size);
  }
  sync() {
    return this.#during((fd) => fsyncAsync(fd));
  }
  async close() {
    const fd = this.#fd;
    if (fd === void 0) return;
    this.#fd = void 0;
    if (this.#pending > 0) await new Promise((resolve) => this.#drained = resolve);
    fs.closeSync(fd);
  }
  #mustFd() {
    if (this.#fd === void 0) throw new TypeError("the file is closed");
    return this.#fd;
  }
  async #during(work) {
    const fd = this.#mustFd();
    this.#pending++;
    try {
      return await work(fd);
    } finally {
      if (--this.#pending === 0) this.#drained?.();
    }
  }
};
var fsyncAsync = promisify(fs.fsync);
var readAt = (fd, into, at, position) => new Promise((resolve, reject) => {
  fs.read(fd, into, at, into.length - at, position, (error, count) => error ? reject(error) : resolve(count));
});
var writeAt = (fd, from, at, position) => new Promise((resolve, reject) => {
  fs.write(fd, from, at, from.length - at, position, (error, count) => error ? reject(error) : resolve(count));
});
function toStat(stats) {
  return {
    kind: kindOf(Number(stats.mode)),
    dev: String(stats.dev),
    ino: String(stats.ino),
    birthtimeNs: String(stats.birthtimeNs),
    size: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
    mode: Number(stats.mode) & 4095,
    nlink: Number(stats.nlink)
  };
}
function kindOf(mode) {
  switch (mode & fs.constants.S_IFMT) {
    case fs.constants.S_IFREG:
      return "file";
    case fs.constants.S_IFDIR:
      return "dir";
    case fs.constants.S_IFLNK:
      return "symlink";
    default:
      return "special";
  }
}
function errnoOf2(error) {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : void 0;
}

// packages/folder/src/apply/testing/fake-space.ts
import { createHash as createHash2 } from "node:crypto";

// packages/engine/src/adapters/sorted-map.ts
var BLOCK_ENTRIES_MAX = 256;
var SortedMap = class _SortedMap {
  #blocks;
  #owner = {};
  constructor(blocks) {
    this.#blocks = blocks;
  }
  static empty() {
    return new _SortedMap([]);
  }
  /** A copy; later changes of either are not seen by the other. */
  fork() {
    this.#owner = {};
    return new _SortedMap([...this.#blocks]);
  }
  get(key) {
    const block = this.#blocks[this.#blockOf(key)];
    if (!block) return void 0;
    const at = lowerBound(block.keys, key);
    return block.keys[at] === key ? block.values[at] : void 0;
  }
  set(key, value) {
    if (this.#blocks.length === 0) this.#blocks.push({ keys: [], values: [], owner: this.#owner });
    const index = this.#blockOf(key);
    const block = this.#own(index);
    const at = lowerBound(block.keys, key);
    if (block.keys[at] === key) {
      block.values[at] = value;
      return;
    }
    block.keys.splice(at, 0, key);
    block.values.splice(at, 0, value);
    if (block.keys.length > BLOCK_ENTRIES_MAX) this.#split(index);
  }
  delete(key) {
    const index = this.#blockOf(key);
    const shared = this.#blocks[index];
    if (!shared) return;
    const at = lowerBound(shared.keys, key);
    if (shared.keys[at] !== key) return;
    const block = this.#own(index);
    block.keys.splice(at, 1);
    block.values.splice(at, 1);
    if (block.keys.length === 0) this.#blocks.splice(index, 1);
  }
  /** Entries with `gte` <= key < `lt`, in order. The map must not change meanwhile. */
  *range(gte, lt) {
    for (let index = this.#blockOf(gte); index < this.#blocks.length; index++) {
      const { keys, values } = this.#blocks[index];
      for (let at = lowerBound(keys, gte); at < keys.length; at++) {
        if (keys[at] >= lt) return;
        yield [keys[at], values[at]];
      }
    }
  }
  /** The last block that begins at or below `key`, else the first. */
  #blockOf(key) {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const mid = low + high >>> 1;
      if (this.#blocks[mid].keys[0] <= key) low = mid + 1;
      else high = mid;
    }
    return Math.max(0, low - 1);
  }
  #own(index) {
    const block = this.#blocks[index];
    if (block.owner === this.#owner) return block;
    const own = { keys: [...block.keys], values: [...block.values], owner: this.#owner };
    this.#blocks[index] = own;
    return own;
  }
  #split(index) {
    const { keys, values, owner } = this.#blocks[index];
    const half = keys.length >>> 1;
    const upper = { keys: keys.splice(half), values: values.splice(half), owner };
    this.#blocks.splice(index + 1, 0, upper);
  }
};
function lowerBound(sorted, key) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const mid = low + high >>> 1;
    if (sorted[mid] < key) low = mid + 1;
    else high = mid;
  }
  return low;
}

// packages/engine/src/adapters/memory-store.ts
var PAGE_ENTRIES = 256;
var MemoryKeyValueStore = class _MemoryKeyValueStore {
  #table;
  /** With `crashable`: the last durable state and each later one, oldest first. */
  #states;
  constructor(options = {}) {
    this.#table = SortedMap.empty();
    for (const [key, value] of options.entries ?? []) this.#table.set(key, value);
    if (options.crashable === true) this.#states = [this.#table.fork()];
  }
  get(key) {
    return this.#table.get(key);
  }
  getMany(keys) {
    return keys.map((key) => this.#table.get(key));
  }
  range(range) {
    return pages(this.#table, range);
  }
  async batch(ops, { sync }) {
    for (const op of ops) {
      if (op.type === "put") this.#table.set(op.key, op.value);
      else this.#table.delete(op.key);
    }
    if (!this.#states) return;
    if (sync) this.#states = [];
    this.#states.push(this.#table.fork());
  }
  snapshot() {
    return { ...readerOf(this.#table.fork()), close: async () => void 0 };
  }
  async close() {
  }
  /** Batches that a crash could lose now. */
  get unsyncedBatches() {
    return (this.#states?.length ?? 1) - 1;
  }
  /**
   * A new store as it could be found after a power cut.
   *
   * @param kept How many of the unsynced batches made it, 0 to `unsyncedBatches`.
   */
  crash(kept) {
    if (!this.#states) throw new TypeError("the store was not made crashable");
    const state = this.#states[kept];
    if (!state) throw new RangeError(`kept: 0 to ${this.unsyncedBatches}`);
    return _MemoryKeyValueStore.#holding(state, true);
  }
  /** A copy of everything, as an old backup that may be opened later. */
  backup() {
    return _MemoryKeyValueStore.#holding(this.#table, this.#states !== void 0);
  }
  static #holding(table, crashable) {
    const store = new _MemoryKeyValueStore();
    store.#table = table.fork();
    if (crashable) store.#states = [table.fork()];
    return store;
  }
};
var readerOf = (table) => ({
  get: (key) => table.get(key),
  getMany: (keys) => keys.map((key) => table.get(key)),
  range: (range) => pages(table, range)
});
async function* pages(table, { gte, lt }) {
  let page = pageOf(table, gte, lt);
  const state = page.length < PAGE_ENTRIES ? table : table.fork();
  while (page.length > 0) {
    yield page;
    if (page.length < PAGE_ENTRIES) return;
    page = pageOf(state, `${page.at(-1)[0]}\0`, lt);
  }
}
function pageOf(table, gte, lt) {
  const page = [];
  for (const item of table.range(gte, lt)) if (page.push(item) === PAGE_ENTRIES) break;
  return page;
}

// packages/engine/src/core/view-entry.ts
var entryKey = (entry) => entry.role === "conflict" ? `${entry.node}:${entry.version?.root}` : entry.node;

// packages/folder/src/apply/testing/fake-space.ts
var nodeId2 = (n) => n === 0 ? ROOT : n.toString(16).padStart(32, "0");
var rootOf = (bytes) => createHash2("sha256").update(bytes).digest("hex");
var MTIME_MS = 16e11;
var REPLICA = "00000000000000aa";
function entryOf(thing) {
  const { id, in: parent, name, bytes, target, executable, isCopy, alsoBacking } = thing;
  const text2 = bytes ?? target;
  const version = text2 === void 0 ? void 0 : {
    root: rootOf(text2),
    height: 0,
    size: Buffer.byteLength(text2),
    mtimeMs: MTIME_MS,
    dots: [],
    ...target === void 0 ? {} : { target }
  };
  return {
    parent: nodeId2(parent),
    name,
    kind: bytes !== void 0 ? "file" : target !== void 0 ? "symlink" : "dir",
    node: nodeId2(id),
    backing: [nodeId2(id), ...(alsoBacking ?? []).map(nodeId2)].sort(),
    role: isCopy ? "conflict" : "main",
    executable: executable === true,
    ...version ? { version } : {}
  };
}
var FakeSpace = class {
  kv = new MemoryKeyValueStore();
  rows = this.kv;
  chunks = /* @__PURE__ */ new Map();
  receivedEntries = /* @__PURE__ */ new Map();
  shown = /* @__PURE__ */ new Map();
  #receivedNodes = /* @__PURE__ */ new Map();
  #syncedNodes = /* @__PURE__ */ new Map();
  #dirty = /* @__PURE__ */ new Set();
  fetchedSmall = 0;
  /** Called before each write to the database; a test may throw. */
  beforeWrite = () => {
  };
  received = readerOf2(this.receivedEntries, this.#receivedNodes);
  synced = readerOf2(this.shown, this.#syncedNodes);
  /** The whole received tree from now on; what differs is dirty, in the given order. */
  show(things, order = (keys) => keys) {
    const next = new Map(things.map((thing) => [entryKey(entryOf(thing)), entryOf(thing)]));
    const changed = [];
    for (const key of /* @__PURE__ */ new Set([...this.receivedEntries.keys(), ...next.keys()])) {
      if (JSON.stringify(this.receivedEntries.get(key)) !== JSON.stringify(next.get(key))) changed.push(key);
    }
    this.receivedEntries.clear();
    for (const [key, entry] of next) this.receivedEntries.set(key, entry);
    for (const thing of things) {
      if (thing.bytes !== void 0) this.chunks.set(rootOf(thing.bytes), Buffer.from(thing.bytes));
    }
    this.#receivedNodes.clear();
    for (const [id, node] of nodesOf([...next.values()])) this.#receivedNodes.set(id, node);
    for (const key of order(changed)) {
      this.#dirty.delete(key);
      this.#dirty.add(key);
    }
  }
  async writeRows(ops, options) {
    this.beforeWrite();
    await this.kv.batch(ops, options);
  }
  async dirty(limit) {
    return [...this.#dirty].slice(0, limit);
  }
  async materialised(done, rows, options) {
    this.beforeWrite();
    await this.kv.batch(rows, options);
    for (const { key, as, nodes } of done) {
      if (as) this.shown.set(key, as);
      else this.shown.delete(key);
      for (const node of nodes) this.#syncedNodes.set(node.id, node);
      if (JSON.stringify(this.receivedEntries.get(key)) === JSON.stringify(as)) this.#dirty.delete(key);
    }
  }
  async fetchSmall(roots) {
    const found = /* @__PURE__ */ new Map();
    for (const root of roots) {
      const bytes = this.chunks.get(root);
      if (bytes && bytes.length <= INLINE_BYTES_MAX) found.set(root, bytes);
    }
    this.fetchedSmall += found.size;
    return found;
  }
  async fetch(version, sink) {
    const bytes = this.chunks.get(version.root);
    if (!bytes) throw new ChunksMissingError([version.root]);
    const piece = 64 * 1024;
    for (let at = 0; at < bytes.length; at += piece) {
      const want = bytes.subarray(at, at + piece);
      const have = await sink.read?.(at, want.length);
      if (have && Buffer.compare(have, want) === 0) continue;
      this.fetchedPieces++;
      await sink.write(at, want);
      await this.afterPiece();
    }
  }
  fetchedPieces = 0;
  afterPiece = () => {
  };
};
function readerOf2(entries, nodes) {
  return {
    node: async (id) => nodes.get(id),
    entry: async (key) => entries.get(key),
    lookup: async (parent, name) => [...entries.values()].find((entry) => entry.parent === parent && entry.name === name),
    async *children(parent) {
      yield [...entries.values()].filter((entry) => entry.parent === parent);
    },
    resolve: async () => void 0,
    pathOf: async (entry) => [entry.name]
  };
}
function nodesOf(entries) {
  const nodes = /* @__PURE__ */ new Map();
  let seq = 0;
  for (const { node, kind, version, backing } of entries) {
    for (const id of backing) {
      const content = [...nodes.get(id)?.content ?? []];
      if (version) {
        const { root, height, size, mtimeMs, target } = version;
        const value = { root, height, size, mtimeMs, ...target === void 0 ? {} : { target } };
        const sibling = {
          dot: { rid: REPLICA, seq: ++seq },
          ctx: { vector: /* @__PURE__ */ new Map(), except: [] },
          hlc: { ms: 1, counter: seq },
          value
        };
        content.push(sibling);
      }
      nodes.set(id, { id, kind: id === node ? kind : "dir", loc: [], content, attr: [] });
    }
  }
  return nodes;
}

// packages/folder/src/apply/testing/world.ts
function readDisk(directory, below = "") {
  const tree = {};
  for (const name of fs2.readdirSync(join7(directory, below)).sort()) {
    if (below === "" && name === ".tidemark") continue;
    const path = below === "" ? name : `${below}/${name}`;
    const stat = fs2.lstatSync(join7(directory, path));
    if (stat.isDirectory()) Object.assign(tree, { [path]: "/" }, readDisk(directory, path));
    else if (stat.isSymbolicLink()) tree[path] = `->${fs2.readlinkSync(join7(directory, path))}`;
    else tree[path] = fs2.readFileSync(join7(directory, path), "utf8");
  }
  return tree;
}
var World = class {
  directory = fs2.mkdtempSync(join7(tmpdir(), "tidemark-apply-"));
  space = new FakeSpace();
  events = [];
  nowMs = Date.now();
  ignored = () => false;
  constructor() {
    for (const name of ["staging", "trash"]) fs2.mkdirSync(join7(this.directory, ".tidemark", name), { recursive: true });
  }
  ctx(files = nodeFileSystem) {
    return {
      // The parts of a binding that applying uses.
      space: this.space,
      rows: new RowsStore(this.space.kv),
      files,
      clock: { nowMs: () => this.nowMs },
      directory: this.directory,
      staging: join7(this.directory, ".tidemark", "staging"),
      trash: join7(this.directory, ".tidemark", "trash"),
      onEvent: ({ path, detail }) => this.events.push(`${detail} ${path}`),
      expectHints: () => {
      },
      isIgnored: (path) => this.ignored(path)
    };
  }
  path(...names) {
    return join7(this.directory, ...names);
  }
  disk() {
    return readDisk(this.directory);
  }
  close() {
    fs2.rmSync(this.directory, { recursive: true, force: true });
  }
};
var unsyncedFileSystem = { ...nodeFileSystem, fsync: () => {
}, syncAll: async () => {
} };

// packages/folder/src/apply/bench.tmp.ts
var test = (n, f) => f();
var never = new AbortController().signal;
test("bench", async () => {
  for (let r = 0; r < 2; r++) {
    const world = new World();
    const things = [];
    for (let d = 1; d <= 100; d++) things.push({ id: d, in: 0, name: `d${d}` });
    for (let i = 0; i < 1e4; i++) things.push({ id: 1e3 + i, in: 1 + i % 100, name: `f${i}`, bytes: `content ${r} ${i} `.repeat(100) });
    world.space.show(things);
    const t = performance.now();
    await applyRemote(world.ctx(), never);
    console.log("cpu", process.cpuUsage(), "create", Math.round(performance.now() - t));
    world.space.show(things.map((x) => x.bytes ? { ...x, bytes: x.bytes + "y" } : x));
    const t2 = performance.now();
    await applyRemote(world.ctx(), never);
    console.log("replace", Math.round(performance.now() - t2));
    world.space.show(things.map((x) => x.id === 5 ? { ...x, name: "renamed" } : x.bytes ? { ...x, bytes: x.bytes + "y" } : x));
    const t4 = performance.now();
    await applyRemote(world.ctx(), never);
    console.log("rename dir", Math.round(performance.now() - t4));
    world.space.show([]);
    const t3 = performance.now();
    const r3 = await applyRemote(world.ctx(), never);
    console.log("delete", Math.round(performance.now() - t3), r3);
    world.close();
  }
}, 12e4);
