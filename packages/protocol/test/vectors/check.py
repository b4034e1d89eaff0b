#!/usr/bin/env python3
"""A second reader of the Tidemark wire: decodes the vectors beside it and compares them with their JSON.

Written from docs/protocol.md, shares no code with packages/protocol. Standard library only.

    python3 packages/protocol/test/vectors/check.py
"""

import json
import pathlib
import sys

SAFE = 2**53 - 1


class Bad(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Bad(why)


class Reader:
    """MessagePack, the subset of docs/protocol.md."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data), 'cut off')
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, width, least):
        value = int.from_bytes(self.take(width), 'big')
        need(least <= value <= SAFE, 'not the shortest form')
        return value

    def value(self):
        tag = self.take(1)[0]
        if tag < 0x80:
            return tag
        if tag >= 0xE0:
            return tag - 0x100
        if tag < 0x90:
            return self.map(tag & 15)
        if tag < 0xA0:
            return self.array(tag & 15)
        if tag < 0xC0:
            return self.take(tag & 31).decode('utf-8')
        if tag in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[tag]
        if tag in (0xC4, 0xC5, 0xC6):
            width = 1 << (tag - 0xC4)
            return self.take(self.number(width, (0, 0x100, 0x10000)[tag - 0xC4]))
        if 0xCC <= tag <= 0xCF:
            return self.number(1 << (tag - 0xCC), (0x80, 0x100, 0x10000, 2**32)[tag - 0xCC])
        if 0xD0 <= tag <= 0xD3:
            width = 1 << (tag - 0xD0)
            value = int.from_bytes(self.take(width), 'big', signed=True)
            need(-SAFE <= value < (-0x20, -0x80, -0x8000, -2**31)[tag - 0xD0], 'not the shortest form')
            return value
        if tag in (0xD9, 0xDA, 0xDB):
            width = 1 << (tag - 0xD9)
            return self.take(self.number(width, (0x20, 0x100, 0x10000)[tag - 0xD9])).decode('utf-8')
        if tag in (0xDC, 0xDD):
            return self.array(self.number(2 << (tag - 0xDC), (0x10, 0x10000)[tag - 0xDC]))
        if tag in (0xDE, 0xDF):
            return self.map(self.number(2 << (tag - 0xDE), (0x10, 0x10000)[tag - 0xDE]))
        raise Bad(f'type 0x{tag:02x} is not allowed')

    def array(self, count):
        return [self.value() for _ in range(count)]

    def map(self, count):
        out, last = {}, 0
        for _ in range(count):
            key = self.value()
            need(isinstance(key, int) and key > last, 'keys are not in order')
            last = key
            start = self.at
            out[key] = self.value()
            RAW[id(out), key] = self.data[start:self.at]
        KEEP.append(out)
        return out


# The bytes of each map value, for fields that are only carried along; KEEP keeps ids unique.
RAW, KEEP = {}, []


def read(data):
    reader = Reader(data)
    value = reader.value()
    need(reader.at == len(data), 'bytes after the end')
    return value


class Flat:
    def __init__(self, data):
        self.data, self.at = data, 0

    def more(self):
        return self.at < len(self.data)

    def id(self, size):
        need(self.at + size <= len(self.data), 'cut off')
        self.at += size
        return self.data[self.at - size:self.at].hex()

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need((byte > 0 or shift == 7) and value <= SAFE, 'varint')
                return value

    def dot(self):
        return {'rid': self.id(8), 'seq': self.varint()}


def dots_of(flat, least=1, ordered=True):
    out = []
    while flat.more():
        out.append(flat.dot())
    need(all(d['seq'] >= least for d in out), 'seq')
    keys = [(d['rid'], d['seq']) for d in out]
    need(not ordered or all(a < b for a, b in zip(keys, keys[1:])), 'order')
    return out


def vector(data):
    return {d['rid']: d['seq'] for d in dots_of(Flat(data), 0)}


def context(data):
    flat = Flat(data)
    entries = [flat.dot() for _ in range(flat.varint())]
    return {'vector': {d['rid']: d['seq'] for d in entries}, 'except': dots_of(flat)}


def dots(data):
    return dots_of(Flat(data))


def loose_dots(data):
    return dots_of(Flat(data), 0, False)


def dot(data):
    (one,) = dots(data)
    return one


def same(value):
    return value


def hex_id(size):
    def convert(data):
        need(len(data) == size, 'length of id')
        return data.hex()

    return convert


def ids32(data):
    need(len(data) % 32 == 0, 'length of ids')
    return [data[i:i + 32].hex() for i in range(0, len(data), 32)]


def choice(*words):
    return lambda value: words[value]


def hlc(value):
    return {'ms': value[0], 'counter': value[1]}


def headers(value):
    return dict(zip(value[::2], value[1::2]))


def many(convert):
    return lambda values: [convert(value) for value in values]


def or_nil(convert):
    return lambda value: None if value is None else convert(value)


def inline(value):
    return {'id': value[0].hex(), 'bytes': value[1].hex()}


def blob_sizes(data):
    flat, out = Flat(data), []
    while flat.more():
        out.append({'id': flat.id(32), 'length': flat.varint()})
    return out


def chunk_places(data):
    flat, out = Flat(data), []
    names = ('blob', 'offset', 'storedLength', 'codec', 'length')
    while flat.more():
        place = {'id': flat.id(32)}
        for name in names:
            place[name] = flat.varint()
        out.append(place)
    return out


def wanted_versions(data):
    flat, out = Flat(data), []
    while flat.more():
        out.append({'root': flat.id(32), 'height': flat.varint(), 'size': flat.varint()})
    return out


def record(fields, keeps=False):
    """fields: number -> (name, convert) or (name, convert, value when absent)."""

    def convert(value):
        out, extra = {}, []
        for key, item in value.items():
            if key in fields:
                out[fields[key][0]] = fields[key][1](item)
            elif keeps:
                extra.append({'key': key, 'value': RAW[id(value), key].hex()})
        for name, _, *absent in fields.values():
            if absent and name not in out:
                out[name] = absent[0]
        if extra:
            out['extra'] = extra
        return out

    return convert


LOC = record({1: ('parent', hex_id(16)), 2: ('name', same), 3: ('from', hex_id(16)), 4: ('dead', same, False),
              5: ('seen', context), 6: ('held', dots), 7: ('pin', dots), 8: ('alt', same)}, True)
CONTENT = record({1: ('root', hex_id(32)), 2: ('height', same, 0), 3: ('size', same, 0), 4: ('mtimeMs', same, 0),
                  5: ('target', same), 6: ('base', hex_id(32)), 7: ('adopted', same), 8: ('copies', dots),
                  9: ('restores', dots)}, True)
ATTR = record({1: ('executable', same, False)}, True)


def sibling(value):
    return record({1: ('dot', dot), 2: ('ctx', context), 3: ('hlc', hlc), 4: ('value', value)}, True)


ENTRY = record({1: ('id', hex_id(16)), 2: ('kind', choice('file', 'dir', 'symlink', 'mount')),
                3: ('loc', many(sibling(LOC))), 4: ('content', many(sibling(CONTENT))),
                5: ('attr', many(sibling(ATTR)))}, True)
GRANT = record({1: ('method', choice('PUT', 'GET')), 2: ('url', same), 3: ('headers', headers),
                4: ('expiresAtMs', same)})
CURSOR = record({1: ('run', hex_id(8)), 2: ('lseq', same)})
ACK = record({1: ('device', hex_id(8)), 2: ('epoch', same), 3: ('applied', vector), 4: ('stable', vector)})
BLOB_GRANT = record({1: ('id', hex_id(32)), 2: ('grant', GRANT)})


def encoded_entry(data):
    return ENTRY(read(data))


REFUSAL = record({1: ('node', hex_id(16)), 2: ('dots', dots), 3: ('code', same), 4: ('message', same),
                  5: ('accepted', encoded_entry)})
REQUEST, CHANNEL = ('request', same), ('channel', same)
MESSAGES = {
    1: ('hello', {1: ('minor', same), 2: ('features', same), 3: ('required', same), 4: ('frameBytesMax', same),
                  5: ('device', hex_id(8)), 6: ('role', choice('replica', 'hub')), 7: ('token', same),
                  8: ('agent', same)}),
    2: ('open', {1: ('space', same), 2: CHANNEL, 3: ('frontier', vector), 4: ('cursor', CURSOR),
                 5: ('remembered', vector), 6: ('met', vector), 7: ('own', vector),
                 8: ('readOnly', same), 9: ('floor', vector), 10: ('acked', vector), 11: ('anew', same),
                 12: ('number', same), 13: ('answers', same),
                 14: ('sweep', hex_id(8)), 15: ('basis', hex_id(8)),
                 16: ('stranger', same), 17: ('applied', vector)}),
    3: ('rewind', {1: CHANNEL, 2: ('reason', choice('unknown-run', 'rolled-back', 'requested'))}),
    4: ('entries', {1: CHANNEL, 2: ('run', hex_id(8)), 3: ('lseq', same), 4: ('entries', many(encoded_entry)),
                    5: ('inline', many(inline)), 6: ('repair', same)}),
    5: ('sync-point', {1: CHANNEL, 2: ('run', hex_id(8)), 3: ('lseq', same), 4: ('frontier', vector),
                       5: ('met', vector), 6: ('lost', loose_dots), 7: ('floor', vector)}),
    6: ('fault', {1: ('code', same), 2: ('message', same), 3: ('retry', choice('never', 'later', 'other-source')),
                  4: ('retryAfterMs', same), 5: CHANNEL, 6: REQUEST}),
    7: ('ping', {1: ('nonce', same)}),
    8: ('pong', {1: ('nonce', same)}),
    9: ('reject', {1: CHANNEL, 2: ('refusals', many(REFUSAL))}),
    10: ('members', {1: CHANNEL, 2: ('epoch', same), 3: ('devices', many(hex_id(8)))}),
    11: ('acks', {1: CHANNEL, 2: ('acks', many(ACK))}),
    12: ('digest', {1: CHANNEL, 2: ('frontier', vector), 3: ('digest', hex_id(32))}),
    16: ('need', {1: REQUEST, 2: CHANNEL, 3: ('chunks', ids32)}),
    17: ('needed', {1: REQUEST, 2: ('chunks', ids32)}),
    18: ('grant-puts', {1: REQUEST, 2: CHANNEL, 3: ('blobs', blob_sizes)}),
    19: ('grants', {1: REQUEST, 2: ('grants', many(or_nil(GRANT)))}),
    20: ('stored', {1: REQUEST, 2: CHANNEL, 3: ('blobs', ids32)}),
    21: ('stored-result', {1: REQUEST, 2: ('blobs', ids32)}),
    22: ('put-inline', {1: REQUEST, 2: CHANNEL, 3: ('chunks', many(inline))}),
    23: ('locate', {1: REQUEST, 2: CHANNEL, 3: ('chunks', ids32), 4: ('distrusted', ids32)}),
    24: ('located', {1: REQUEST, 2: ('blobs', many(BLOB_GRANT)), 3: ('chunks', chunk_places)}),
    25: ('want', {1: CHANNEL, 2: ('versions', wanted_versions)}),
    26: ('hint', {1: CHANNEL, 2: ('upload', hex_id(8)), 3: ('size', same), 4: ('offset', same),
                  5: ('chunks', blob_sizes), 6: ('root', hex_id(32))}),
}


def message(data):
    number, fields = read(data)
    name, table = MESSAGES[number]
    return {'type': name, **record(table)(fields)}


def has(ctx, d):
    return ctx['vector'].get(d['rid'], 0) >= d['seq'] and d not in ctx['except']


def universe(*contexts):
    """Every dot that the contexts could tell apart, and one above."""
    top = {}
    for ctx in contexts:
        for rid, seq in ctx['vector'].items():
            top[rid] = max(top.get(rid, 0), seq)
    return [{'rid': rid, 'seq': seq} for rid, last in sorted(top.items()) for seq in range(1, last + 2)]


def check_context(vector_):
    for part in ('union', 'made'):
        expect(vector_['name'] + ' ' + part, context(bytes.fromhex(vector_[part]['hex'])), vector_[part]['value'])
    union, made = vector_['union']['value'], vector_['made']['value']
    for d in universe(union, made):
        in_part = any(has(part, d) for part in vector_['parts'])
        expect('union', has(union, d), in_part)
        if in_part or d in vector_['dots']:
            expect('observed dot', has(made, d), True)
        elif d in vector_['unobserved']:
            expect('unobserved dot', has(made, d), False)
    listed = sorted((d['rid'], d['seq']) for d in vector_['has'])
    expect('has', [d for d in listed if not has(made, {'rid': d[0], 'seq': d[1]})], [])


COUNT = 0


def expect(name, actual, expected):
    global COUNT
    COUNT += 1
    need(actual == expected, f'{name}:\n  read     {actual}\n  expected {expected}')


def main():
    here = pathlib.Path(__file__).parent
    load = lambda name: json.loads((here / name).read_text('utf-8'))
    for vector_ in load('messages.json'):
        expect(vector_['type'], message(bytes.fromhex(vector_['hex'])), vector_['value'])
    for vector_ in load('node-entries.json'):
        expect(vector_['name'], encoded_entry(bytes.fromhex(vector_['hex'])), vector_['value'])
    for vector_ in load('contexts.json'):
        check_context(vector_)
    print(f'{COUNT} comparisons, all equal')


if __name__ == '__main__':
    try:
        main()
    except (Bad, KeyError, IndexError, ValueError) as error:
        sys.exit(f'{type(error).__name__}: {error}')
