#!/usr/bin/env python3
"""A second implementation of join, view, chunking, manifest and packs: computes the vectors beside it and compares.

Written from docs/view.md and docs/protocol.md, shares no code with packages/engine. Standard library only.

    python3 packages/engine/test/vectors/check.py
"""

import base64
import hashlib
import json
import pathlib
import sys
import zlib

ROOT = '0' * 32


def has(ctx, dot):
    return ctx['vector'].get(dot['rid'], 0) >= dot['seq'] and dot not in ctx['except']


def by_dot(sibling):
    return sibling['dot']['rid'], sibling['dot']['seq']


# Join


def join_registers(a, b):
    siblings = {by_dot(sibling): sibling for sibling in a + b}.values()
    maximal = [x for x in siblings if not any(has(y['ctx'], x['dot']) for y in siblings if y is not x)]
    return sorted(maximal, key=by_dot)


def join_extra(a, b):
    fields = {}
    for field in a + b:
        fields[field['key']] = max(fields.get(field['key'], ''), field['value'])
    return [{'key': key, 'value': fields[key]} for key in sorted(fields)]


def join(a, b):
    joined = {**a, **{name: join_registers(a[name], b[name]) for name in ('loc', 'content', 'attr')}}
    extra = join_extra(a.get('extra', []), b.get('extra', []))
    return {**joined, **({'extra': extra} if extra else {})}


# What a node shows


def key(sibling):
    adopted = sibling['value'].get('adopted', False)
    return not adopted, sibling['hlc']['ms'], sibling['hlc']['counter'], *by_dot(sibling)


def live_locs(node):
    dead = [x for x in node['loc'] if x['value']['dead']]
    return [x for x in node['loc'] if not x['value']['dead'] and not (
        'pin' in x['value'] and any(all(has(d['ctx'], dot) for dot in x['value']['pin']) for d in dead))]


def place_key(sibling):
    value = sibling['value']
    return 2 if 'from' in value else 1 if 'pin' in value else 0, key(sibling)


def chosen(node):
    not_dead = [x for x in node['loc'] if not x['value']['dead']]
    candidates = live_locs(node) or not_dead
    return max(candidates, key=place_key) if candidates else max(node['loc'], key=key)


def visible(node):
    held = [dot for x in live_locs(node) for dot in x['value'].get('held', [])]
    seen = [x['value']['seen'] for x in node['loc'] if 'seen' in x['value']]
    shown = []
    for x in node['content']:
        again = x['value'].get('restores')
        others = [y for y in node['content'] if 'restores' not in y['value']]
        if 'root' not in x['value'] or again and any(all(has(y['ctx'], d) for d in again) for y in others):
            continue
        gone = [any(has(ctx, d) for ctx in seen) for d in [x['dot']] + (again or [])]
        if not gone[0] and not (again and all(gone[1:])) or any(d in held for d in [x['dot']] + (again or [])):
            shown.append(x)
    return shown


def holds_bytes(node):
    return node['kind'] in ('file', 'symlink')


def alive(node):
    return bool(visible(node) if holds_bytes(node) else live_locs(node))


def versions(node):
    """(winner or None, copies): lists of siblings with one root, the shown one first."""
    shown = visible(node)
    bound = [dot for x in node['content'] if 'root' not in x['value'] for dot in x['value'].get('copies', [])]
    free = [x for x in shown if x['dot'] not in bound]
    top = max(free, key=key) if free else None
    groups = {}
    for sibling in sorted(shown, key=key, reverse=True):
        groups.setdefault(sibling['value']['root'], []).append(sibling)
    winner = None
    if top:
        winner = groups.pop(top['value']['root'])
        winner = [top] + [x for x in winner if x is not top]
    return winner, [groups[root] for root in sorted(groups)]


# Placement


def place(nodes):
    """id -> parent, of every node that stands somewhere."""
    closure = set()
    for node in nodes.values():
        at = node if alive(node) else None
        while at and at['id'] not in closure:
            closure.add(at['id'])
            above = nodes.get(chosen(at)['value']['parent'])
            at = above if above and above['kind'] == 'dir' else None

    def is_parent(id_):
        return id_ == ROOT or id_ in closure and nodes[id_]['kind'] == 'dir'

    def chain(id_):
        out = []
        while id_ in parents and id_ not in out:
            out.append(id_)
            id_ = parents[id_]
        return out + [id_]

    def latest(id_):
        return key(chosen(nodes[id_])), id_

    parents = {id_: chosen(nodes[id_])['value']['parent'] for id_ in closure}
    parents = {id_: parent for id_, parent in parents.items() if is_parent(parent)}
    cut = set()
    for id_ in parents:
        above = chain(parents[id_])
        if id_ in above:
            cut.add(max(above[:above.index(id_) + 1], key=latest))
    for id_ in cut:
        del parents[id_]
    for id_ in sorted(closure - parents.keys(), key=latest):
        node, own = nodes[id_], chosen(nodes[id_])
        others = [x for x in node['loc'] if x is not own and not x['value']['dead']]
        options = [x['value']['parent'] for x in sorted(others, key=key, reverse=True)]
        options += [own['value']['from']] if 'from' in own['value'] else []
        fits = [parent for parent in options if is_parent(parent) and id_ not in chain(parent)]
        parents[id_] = fits[0] if fits else ROOT
    return parents


# Names


def suffixed(name, label, tag, length):
    dot = name.rfind('.')
    ext = name[dot:] if dot > 0 and len(name[dot:].encode()) <= 63 else ''
    stem = name[:len(name) - len(ext)]
    short = f'{stem} ({label}{tag[:length]}){ext}'
    if len(short.encode()) <= 255:
        return short
    suffix = f' ({label}{tag[:max(length, 26)]}){ext}'
    while len((stem + suffix).encode()) > 255:
        stem = stem[:-1]
    return stem + suffix


def tag_of(label, node, root):
    digest = hashlib.sha256(f'{label}{node}:{root}'.encode()).digest()
    return base64.b32encode(digest).decode().lower().rstrip('=')


def is_alt(node):
    return chosen(node)['value'].get('alt', False)


def claims(node):
    return not is_alt(node) and (not holds_bytes(node) or versions(node)[0] is not None)


def resolve(parent, group, is_claimed):
    """Entries of all nodes with one literal name in one directory."""
    rivals, wanted, out = {}, [], []
    for node in sorted(group, key=lambda node: node['id']):
        winner = versions(node)[0] if holds_bytes(node) else None
        if winner:
            rival = node['kind'], winner[0]['value']['root']
        elif holds_bytes(node):
            continue
        else:
            rival = ('dir', is_alt(node)) if node['kind'] == 'dir' else (node['kind'], node['id'])
        rivals.setdefault(rival, []).append(node)

    def rank(members):
        first = min((node for node in members if not is_alt(node)), key=lambda n: (key(chosen(n)), n['id']))
        return members[0]['kind'] != 'dir', key(chosen(first)), first['id']

    candidates = [members for members in rivals.values() if not all(map(is_alt, members))]
    incumbent = min(candidates, key=rank) if candidates else None
    for members in rivals.values():
        node = members[0]
        shown = [versions(member)[0] for member in members] if holds_bytes(node) else []
        all_of = sorted((x for group_ in shown for x in group_), key=key, reverse=True)
        top = max((group_[0] for group_ in shown), key=key, default=None)
        entry = entry_of(parent, node, members, top, all_of)
        if members is incumbent:
            out.append({**entry, 'name': chosen(node)['value']['name'], 'role': 'main'})
        else:
            wanted.append((node, '', tag_of('', node['id'], ''), {**entry, 'role': 'clash'}))
    for node in sorted(group, key=lambda node: node['id']):
        for copy in versions(node)[1] if holds_bytes(node) else []:
            tag = tag_of('conflict ', node['id'], copy[0]['value']['root'])
            entry = entry_of(parent, node, [node], copy[0], copy)
            wanted.append((node, 'conflict ', tag, {**entry, 'role': 'conflict'}))
    for one in wanted:
        node, label, tag, entry = one
        name, length = chosen(node)['value']['name'], 8
        while length < 52:
            same = any(x is not one and x[1] == label and x[2][:length] == tag[:length] for x in wanted)
            if not same and not is_claimed(suffixed(name, label, tag, length)):
                break
            length += 1
        out.append({**entry, 'name': suffixed(name, label, tag, length)})
    return out


def entry_of(parent, node, members, top, siblings):
    executable = [max(m['attr'], key=key)['value']['executable'] for m in members if m['attr']]
    entry = {'parent': parent, 'kind': node['kind'], 'node': node['id'],
             'backing': [member['id'] for member in members], 'executable': any(executable)}
    if top:
        fields = ('root', 'height', 'size', 'mtimeMs', 'target')
        entry['version'] = {name: top['value'][name] for name in fields if name in top['value']}
        entry['version']['dots'] = [x['dot'] for x in sorted(siblings, key=by_dot)]
    return entry


def view(entries):
    nodes = {node['id']: node for node in entries if node['loc']}
    parents = place(nodes)
    out, open_ = [], [(ROOT, [ROOT])]
    for rep, backing in open_:
        groups = {}
        for id_, parent in sorted(parents.items()):
            if parent in backing:
                groups.setdefault(chosen(nodes[id_])['value']['name'], []).append(nodes[id_])
        for group in groups.values():
            for entry in resolve(rep, group, lambda name: any(map(claims, groups.get(name, [])))):
                out.append(entry)
                if entry['kind'] == 'dir':
                    open_.append((entry['node'], entry['backing']))
    return sorted(out, key=lambda entry: f'{entry["parent"]}/{entry["name"]}'.encode('utf-16-be'))


# Chunks

GEAR = [word for i in range(32) for word in
        (lambda digest: [int.from_bytes(digest[at:at + 4], 'big') for at in range(0, 32, 4)])(
            hashlib.sha256(f'tidemark gear 1/{i}'.encode()).digest())]


def seeded(seed, size):
    """xorshift32, each state written low byte first."""
    state, out = seed, bytearray()
    while len(out) < size:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        out += state.to_bytes(4, 'little')
    return bytes(out[:size])


def class_of(size):
    return next((c for c in range(14, 22) if 5 * size <= 7 * 2**(c + 14)), 22)


def cuts(data, class_):
    """Ends of all chunks but the last."""
    least, average, most = 2**(class_ - 1), 2**class_, min(2**(class_ + 2), 2**24)
    rare, frequent = 32 - class_ - 2, 32 - class_ + 2
    ends, start = [], 0
    while True:
        value, at = 0, start + least - 32
        while at < len(data):
            value = (value * 2 + GEAR[data[at]]) & 0xFFFFFFFF
            at += 1
            length = at - start
            if length >= least and value >> (rare if length <= average else frequent) == 0 or length == most:
                break
        else:
            return ends
        ends.append(at)
        start = at


def chunked(case):
    data = seeded(case['seed'], case['size'])
    size = len(data)
    ends = cuts(data, class_of(size)) if size > 2**14 else []
    ends = [end for end in ends if end < size]
    starts = [0] + ends
    lengths = [end - start for start, end in zip(starts, ends + [size])]
    level = [(hashlib.sha256(data[start:start + length]).digest(), length) for start, length in zip(starts, lengths)]
    nodes, height, root = tree(level, size) if len(level) > 1 else ([], 0, level[0][0])
    shown = {'chunks': len(lengths)} if 'chunks' in case else {'lengths': lengths}
    return {'name': case['name'], 'seed': case['seed'], 'size': size, 'height': height, 'root': root.hex(),
            **shown, 'nodes': len(nodes)}


# Manifest


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes(out + bytes([value]))


def tree(level, size):
    """Nodes over (id, length) of the chunks, bottom up; the height; the root's id."""
    nodes, height = [], 0
    while height == 0 or len(level) > 1:
        height += 1
        groups, group = [], []
        for id_, length in level:
            group.append((id_, length))
            ends = len(group) >= 64 and int.from_bytes(id_[:4], 'big') < 2**32 // 192
            if ends or len(group) == 1024:
                groups.append(group)
                group = []
        groups += [group] if group else []
        level = []
        for group in groups:
            is_root = len(groups) == 1
            head = b'\x89TMN\x01' + bytes([height, class_of(size) if is_root else 0])
            head += varint(size) if is_root else b''
            body = b''.join(id_ for id_, _ in group) + b''.join(varint(length) for _, length in group)
            nodes.append(head + varint(len(group)) + body)
            level.append((hashlib.sha256(nodes[-1]).digest(), sum(length for _, length in group)))
    return nodes, height, level[0][0]


def manifest(case):
    level = []
    for i in range(case['count']):
        id_ = hashlib.sha256(f'{case["seed"]} {i}'.encode()).digest()
        level.append((id_, case['lengthMin'] + int.from_bytes(id_[:2], 'big') % case['lengthSpread']))
    size = sum(length for _, length in level)
    nodes, height, root = tree(level, size)
    ids = hashlib.sha256(b''.join(hashlib.sha256(node).digest() for node in nodes)).hexdigest()
    given = {name: case[name] for name in ('name', 'seed', 'count', 'lengthMin', 'lengthSpread')}
    result = {**given, 'size': size, 'root': root.hex(), 'height': height, 'nodeCount': len(nodes), 'nodeIds': ids}
    return {**result, **({'rootNode': nodes[0].hex()} if len(nodes) == 1 else {})}


# Packs


def inflated(stored, length):
    """Exactly `length` bytes of raw DEFLATE, or nothing."""
    stream = zlib.decompressobj(-15)
    try:
        # One byte more: whether there is more is seen, and nothing else of it is made.
        data = stream.decompress(stored, length + 1)
    except zlib.error:
        return None
    return data if len(data) == length and stream.eof and not stream.unused_data else None


def unpacked(data):
    """The chunks of a pack, or the code of the fault."""
    if len(data) < 9 or data[-4:] != b'TMPK' or data[-5] != 1:
        return 'DECODE'
    index = int.from_bytes(data[-9:-5], 'big')
    end = len(data) - 9 - index
    if index % 41 or end < 0 or not index:
        return 'DECODE'
    chunks, offset, plain = [], 0, 0
    for at in range(end, len(data) - 9, 41):
        codec = data[at + 32]
        stored, length = (int.from_bytes(data[at + i:at + i + 4], 'big') for i in (33, 37))
        plain += length
        if length > 2**24:
            return 'LIMIT'
        if codec > 1 or (stored != length if codec == 0 else not 0 < stored < length) or offset + stored > end:
            return 'DECODE'
        if plain > 17 * 2**20:
            return 'LIMIT'
        chunks.append({'id': data[at:at + 32].hex(), 'offset': offset, 'storedLength': stored,
                       'codec': codec, 'length': length})
        offset += stored
    if offset != end:
        return 'DECODE'
    for chunk in chunks:
        body = data[chunk['offset']:chunk['offset'] + chunk['storedLength']]
        body = inflated(body, chunk['length']) if chunk['codec'] else body
        if body is None:
            return 'DECODE'
        if hashlib.sha256(body).hexdigest() != chunk['id']:
            return 'CHUNK_MISMATCH'
    return chunks


def main():
    here = pathlib.Path(__file__).parent
    count = 0

    def expect(name, actual, expected):
        nonlocal count
        count += 1
        if actual != expected:
            sys.exit(f'{name}:\n  computed {json.dumps(actual)}\n  expected {json.dumps(expected)}')

    def load(name):
        return json.loads((here / name).read_text('utf-8'))

    for case in load('join.json'):
        expect(case['name'], join(case['a'], case['b']), case['joined'])
        expect(case['name'] + ', other order', join(case['b'], case['a']), case['joined'])
    for case in load('view.json'):
        expect(case['name'], view(case['entries']), case['view'])
    for case in load('manifest.json'):
        expect(case['name'], manifest(case), case)
    chunking = load('chunking.json')
    for case in chunking['files']:
        # The largest would take a loop of this language half a minute.
        if case['size'] < 2**21:
            expect(case['name'], chunked(case), case)
    for case in chunking['cuts']:
        if case['size'] < 2**21:
            data = seeded(case['seed'], case['size'])
            expect(case['name'], [end for end in cuts(data, case['class']) if end < len(data)], case['ends'])
    packs = load('packs.json')
    for case in packs['good']:
        data = bytes.fromhex(case['hex'])
        expect(case['name'], hashlib.sha256(data).hexdigest(), case['id'])
        expect(case['name'], unpacked(data), case['chunks'])
    for case in packs['bad']:
        expect(case['name'], unpacked(bytes.fromhex(case['hex'])), case['code'])
    print(f'{count} comparisons, all equal')


if __name__ == '__main__':
    main()
