# SPDX-License-Identifier: MIT
"""Units that speak HTTP/2 (gRPC servers): routing/<app> says h2c, and bodies, trailers, refusals and resets pass."""
import os
import secrets
import socket
import struct
import subprocess
import threading
import time
import unittest

import edge_test
import etcd_test
import h2_rig as h2
import rig
import tls_test

GRPC = ['/usr/bin/python3', os.path.join(os.path.dirname(os.path.abspath(__file__)), 'grpc_peer.py')]


class Unit:
    """A server of HTTP/2 without TLS: answers as the path says; one thread a connection."""
    settings = b''

    def __init__(self, kind=None):
        self.kind = kind or Connection
        self.requests = []  # (fields, body)
        self.connections = 0
        self.gate = threading.Event()
        self.blocked = threading.Event()
        self.pings = self.pongs = 0
        self.refusals = 0
        self.trailers = []
        self.s = socket.create_server(('127.0.0.1', 0), backlog=256)
        self.address = '127.0.0.1:%d' % self.s.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as servers of HTTP/2 do
            self.connections += 1
            threading.Thread(target=self.kind(self, c).run, daemon=True).start()

    def close(self):
        self.gate.set()
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()


class Connection:
    def __init__(self, unit, c):
        self.unit, self.c, self.f = unit, c, c.makefile('rb')
        self.encoder, self.decoder = h2.hpack.Encoder(), h2.hpack.Decoder()
        self.windows = {0: 65535}
        self.initial = 65535
        self.fields, self.body, self.path, self.sid = [], b'', '', 0

    def frame(self, kind, flags, sid, payload=b''):
        if kind == h2.DATA:
            self.windows[0] -= len(payload)
            self.windows[sid] -= len(payload)
        self.c.sendall(struct.pack('!I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('!I', sid) + payload)

    def head(self, sid, fields, end=False):
        self.frame(h2.HEADERS, h2.END_HEADERS | (h2.END_STREAM if end else 0), sid, self.encoder.encode(fields))

    def credit(self, sid, n):
        for s in (0, sid):
            self.frame(h2.WINDOW_UPDATE, 0, s, struct.pack('!I', n))

    def run(self):
        try:
            if self.f.read(24) != h2.PREFACE:
                self.c.sendall(b'HTTP/1.1 400 not HTTP/2\r\nContent-Length: 0\r\n\r\n')
                return
            self.settle()
            while self.step():
                pass
        except (OSError, ValueError, struct.error):
            pass
        finally:
            self.f.close()
            self.c.close()

    def settle(self):
        self.frame(h2.SETTINGS, 0, 0, self.unit.settings)

    def step(self):
        head = self.f.read(9)
        if len(head) < 9:
            return False
        size = struct.unpack('!I', b'\0' + head[:3])[0]
        kind, flags = head[3], head[4]
        sid = struct.unpack('!I', head[5:])[0]
        payload = self.f.read(size)
        if kind == h2.SETTINGS and not flags & h2.ACK:
            for i in range(0, size, 6):
                key, value = struct.unpack('!HI', payload[i:i + 6])
                self.initial = value if key == 4 else self.initial
            self.frame(h2.SETTINGS, h2.ACK, 0)
        elif kind == h2.PING:
            self.unit.pongs += 1
        elif kind == h2.WINDOW_UPDATE:
            self.windows[sid] = self.windows.get(sid, self.initial) + struct.unpack('!I', payload)[0]
        elif kind == h2.HEADERS and sid == self.sid:
            self.unit.trailers = self.decoder.decode(payload)
        elif kind == h2.HEADERS:
            self.sid = sid
            self.fields, self.body = self.decoder.decode(payload), b''
            self.path = dict(self.fields)[':path'].split('?')[0]
            self.windows[sid] = self.initial
            early = getattr(self, 'early_' + self.path[1:].split('/')[0].replace('-', '_'), None)
            if early:
                early(sid)
        elif kind == h2.DATA:
            self.body += payload
            if self.path == '/chat':
                self.frame(h2.DATA, 0, sid, b're: ' + payload)
            if size and self.path != '/stuck':
                self.credit(sid, size)
        if kind in (h2.HEADERS, h2.DATA) and flags & h2.END_STREAM:
            self.unit.requests.append((self.fields, self.body))
            return getattr(self, 'answer_' + self.path[1:].split('/')[0].replace('-', '_'), self.answer_default)(sid)
        return True

    def send(self, sid, data, end=True):
        at = 0
        while at < len(data):
            n = min(len(data) - at, 16384, self.windows[0], self.windows[sid])
            if n <= 0:
                if not self.step():
                    return False
                continue
            self.frame(h2.DATA, h2.END_STREAM if end and at + n == len(data) else 0, sid, data[at:at + n])
            at += n
        return True

    def answer_default(self, sid):
        self.head(sid, [(':status', '200'), ('content-type', 'application/grpc')])
        self.frame(h2.DATA, 0, sid, b'hello')
        self.head(sid, [('grpc-status', '0'), ('grpc-message', 'fine'), ('set-cookie', 'a=b')], True)
        return True

    def answer_plain(self, sid):
        self.head(sid, [(':status', '200'), ('content-length', '5'), ('x-a', 'b')])
        self.frame(h2.DATA, h2.END_STREAM, sid, b'plain')
        return True

    def answer_echo(self, sid):
        self.head(sid, [(':status', '200')])
        return self.send(sid, self.body) if self.body else self.frame(h2.DATA, h2.END_STREAM, sid) is None

    def answer_trailers_only(self, sid):
        self.head(sid, [(':status', '200'), ('content-type', 'application/grpc'), ('grpc-status', '12')], True)
        return True

    def answer_no_data(self, sid):
        self.head(sid, [(':status', '200')])
        self.head(sid, [('grpc-status', '5')], True)
        return True

    def answer_empty(self, sid):
        """A frame without a byte is the whole body, and comes with the head."""
        block = self.encoder.encode([(':status', '200')])
        self.c.sendall(struct.pack('!I', len(block))[1:] + bytes([h2.HEADERS, h2.END_HEADERS]) + struct.pack('!I', sid) + block +
                       bytes([0, 0, 0, h2.DATA, h2.END_STREAM]) + struct.pack('!I', sid))
        return True

    def answer_slow_head(self, sid):
        block = self.encoder.encode([(':status', '200'), ('x-first', 'a' * 20), ('x-last', 'b' * 20)])
        frames = struct.pack('!I', len(block))[1:] + bytes([h2.HEADERS, h2.END_HEADERS]) + struct.pack('!I', sid) + block + \
            struct.pack('!I', 2)[1:] + bytes([h2.DATA, h2.END_STREAM]) + struct.pack('!I', sid) + b'ok'
        for b in frames:
            self.c.sendall(bytes([b]))
            time.sleep(0.002)
        return True

    def answer_hints(self, sid):
        self.head(sid, [(':status', '103'), ('link', '</a>')])
        return self.answer_plain(sid)

    def answer_head(self, sid):
        self.head(sid, [(':status', '200'), ('content-length', '99')], True)
        return True

    def answer_big(self, sid):
        self.head(sid, [(':status', '200')])
        return self.send(sid, bytes(int(self.path.split('/')[2])))

    def early_sulk(self, sid):
        """Says as much as it may and does not listen, until it is told to reset the connection."""
        self.credit(sid, 1 << 30)
        self.head(sid, [(':status', '200')])
        for i in range(5):
            self.frame(h2.DATA, 0, sid, bytes(16384))
        self.unit.gate.wait(rig.DEADLINE)
        self.c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.f.close()
        self.c.close()

    def early_chat(self, sid):
        self.head(sid, [(':status', '200')])

    def answer_chat(self, sid):
        self.head(sid, [('grpc-status', '0')], True)
        return True

    def early_over(self, sid):
        """An answer with its trailers while the request goes on."""
        self.head(sid, [(':status', '200')])
        self.head(sid, [('grpc-status', '8')], True)
        self.path = '/chatless'

    def early_refuse(self, sid):
        if self.unit.refusals > 0:
            self.unit.refusals -= 1
            self.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.REFUSED_STREAM))
            self.path = '/never'

    def answer_never(self, sid):
        return True

    def answer_reset(self, sid):
        self.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.INTERNAL_ERROR))
        return True

    def answer_cut(self, sid):
        self.head(sid, [(':status', '200')])
        self.frame(h2.DATA, 0, sid, b'only this')
        self.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.INTERNAL_ERROR))
        return True

    def answer_close(self, sid):
        self.c.shutdown(socket.SHUT_RDWR)
        return False

    def answer_bad(self, sid):
        self.head(sid, [(':status', '200'), ('transfer-encoding', 'chunked')], True)
        return True

    def early_violate(self, sid):
        """Against the rules: an error of the whole connection."""
        if self.path.endswith('/late'):
            self.head(sid, [(':status', '200')])
            self.frame(h2.DATA, 0, sid, b'only this')
        self.frame(h2.WINDOW_UPDATE, 0, 0, bytes(4))

    def answer_violate(self, sid):
        return True

    def answer_goaway(self, sid):
        self.answer_plain(sid)
        self.frame(h2.GOAWAY, 0, 0, struct.pack('!II', sid, 0))
        return True

    def queued(self):
        """Bytes that the router has sent and we have not read."""
        names = ['%08X:%04X' % (struct.unpack('<I', socket.inet_aton(a))[0], p) for a, p in (self.c.getpeername(), self.c.getsockname())]

        def both():  # while others come and go a reader of that file may miss a line
            with open('/proc/net/tcp') as f:
                columns = [line.split() for line in f]
            found = {c[1]: [int(n, 16) for n in c[4].split(':')] for c in columns if sorted(c[1:3]) == sorted(names)}
            return found if len(found) == 2 else None
        sizes = rig.wait_for(both, 'both ends are listed')
        return sizes[names[0]][0] + sizes[names[1]][1]

    def answer_hoard(self, sid):
        """Then pings and does not read what they are answered, until the router has to wait."""
        self.answer_plain(sid)
        self.unit.gate.wait(rig.DEADLINE)
        pings = b''.join(b'\0\0\x08' + bytes([h2.PING]) + bytes(13) for i in range(300))
        before = self.queued()
        try:
            while True:
                self.c.sendall(pings)
                self.unit.pings += 300
                rig.wait_for(lambda: self.queued() >= before + len(pings), 'all are answered', 3)
                before += len(pings)
        except AssertionError:
            self.unit.blocked.set()
        return True

    def answer_gate(self, sid):
        self.unit.gate.wait(rig.DEADLINE)
        return self.answer_default(sid)


class UnitH2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ca = tls_test.Authority()
        cls.addClassCleanup(cls.ca.clear)
        cls.https, pair = rig.free_port(), cls.ca.issue('*.example.com')
        cls.world = etcd_test.World('--h2c', '--https', '127.0.0.1:%d' % cls.https, '--cert', pair[0], '--key', pair[1])
        cls.addClassCleanup(cls.world.clear)
        cls.unit = Unit()
        cls.addClassCleanup(cls.unit.close)
        w = cls.world
        w.app('talk')
        w.etcd.put('routing/talk', {'settings': {'h2c': True}})
        w.unit('talk_v1.web.1')
        w.state('talk_v1.web.1', cls.unit.address)
        w.wait_status('talk.example.com', 200)

    def client(self, **kw):
        c = h2.plain(self.world.router.http, 'talk.example.com', **kw)
        self.addCleanup(c.close)
        return c

    def call(self, path='/', c=None, body=b'', **kw):
        c = c or self.client()
        sid = c.open(c.usual('POST', path, te='trailers', content_type='application/grpc', **kw), end=False)
        c.upload(sid, body, end=False) if body else None
        c.data(sid, b'', end=True)
        return c.answer(sid)

    def trailers(self, a):
        return dict(a.heads[-1]) if len(a.heads) > 1 else {}

    def test_a_call(self):
        a = self.call(body=b'question')
        self.assertEqual((a.status, a.body), (200, b'hello'))
        self.assertEqual(self.trailers(a), {'grpc-status': '0', 'grpc-message': 'fine'})  # no field that is no trailer
        fields, body = self.unit.requests[-1]
        got = dict(fields)
        self.assertEqual(body, b'question')
        self.assertEqual([got[n] for n in (':method', ':scheme', ':authority', ':path', 'te', 'content-type')],
                         ['POST', 'http', 'talk.example.com', '/', 'trailers', 'application/grpc'])
        self.assertEqual(got['x-forwarded-for'], '127.0.0.1')
        self.assertTrue(all(n not in got for n in ('host', 'transfer-encoding', 'connection')))

    def test_kinds_of_answers(self):
        a = self.call('/trailers-only')
        self.assertEqual((a.status, a.body, a.fields['grpc-status'], len(a.heads)), (200, b'', '12', 1))
        a = self.call('/no-data')
        self.assertEqual((a.status, a.body, self.trailers(a)), (200, b'', {'grpc-status': '5'}))
        a = self.call('/plain')
        self.assertEqual((a.status, a.body, a.fields['content-length'], a.fields['x-a']), (200, b'plain', '5', 'b'))
        a = self.call('/hints')
        self.assertEqual([dict(h)[':status'] for h in a.heads], ['103', '200'])
        a = self.call('/slow-head')
        self.assertEqual((a.status, a.fields['x-first'], a.fields['x-last'], a.body), (200, 'a' * 20, 'b' * 20, b'ok'))
        a = self.client().get('/head', method='HEAD')
        self.assertEqual((a.status, a.fields['content-length'], a.body), (200, '99', b''))

    def test_bodies(self):
        c = self.client()
        for size in (1, 16384, 100000, 3 << 20):
            body = secrets.token_bytes(size)
            a = self.call('/echo', c, body)
            self.assertEqual((len(a.body), a.body == body), (size, True))
        self.assertEqual(len(self.call('/big/5000000', c).body), 5000000)

    def test_trailers_of_a_request(self):
        c = self.client()
        for late in (False, True):
            self.unit.trailers = []
            sid = c.open(c.usual('POST', '/echo'), end=False)
            c.data(sid, b'body')
            if late:
                c.ping()
            c.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, sid, c.block([('x-sum', '17'), ('host', 'evil')]))
            self.assertEqual(c.answer(sid).body, b'body')
            self.assertEqual(self.unit.trailers, [('x-sum', '17')])

    def test_grpc_itself(self):
        server = rig.spawn(GRPC + ['server'], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        w = self.world
        w.app('grpc')
        w.etcd.put('routing/grpc', {'settings': {'h2c': True}})
        w.unit('grpc_v1.web.1')
        w.state('grpc_v1.web.1', '127.0.0.1:' + server.stdout.readline().strip())
        w.wait_units('grpc', 'grpc_v1.web.1')
        w.router.wait_for(lambda: w.get('grpc.example.com')[0] != 502, 'it is spoken to in HTTP/2')
        out = subprocess.run(GRPC + ['client', str(self.https), self.ca.file, 'grpc.example.com'], capture_output=True, text=True, timeout=120)
        self.assertEqual((out.returncode, out.stdout), (0, 'all calls went well\n'), out.stderr)

    def test_a_talk_to_and_fro(self):
        c = self.client()
        sid = c.open(c.usual('POST', '/chat', te='trailers'), end=False)
        a = c.head(sid)
        said = b''
        for i in range(5):
            c.data(sid, b'%d' % i)
            said += b're: %d' % i
            while a.body != said:
                c.step()
        c.data(sid, b'', end=True)
        self.assertEqual(self.trailers(c.answer(sid)), {'grpc-status': '0'})

    def test_an_answer_that_does_not_wait_for_the_request(self):
        c = self.client()
        sid = c.open(c.usual('POST', '/over', te='trailers'), end=False)
        a = c.answer(sid)
        self.assertEqual(self.trailers(a), {'grpc-status': '8'})
        c.ping()
        self.assertEqual(a.reset, h2.NO_ERROR)

    def test_silence_is_the_apps_affair(self):
        w = self.world
        w.app('quiet')
        w.etcd.put('routing/quiet', {'settings': {'h2c': True, 'timeout': '1s'}})
        w.unit('quiet_v1.web.1')
        w.state('quiet_v1.web.1', self.unit.address)
        w.wait_status('quiet.example.com', 200)
        c = h2.plain(w.router.http, 'quiet.example.com')
        self.addCleanup(c.close)
        sid = c.open(c.usual('POST', '/echo'), end=False)
        c.data(sid, b'and then nothing')
        self.assertEqual(c.answer(sid).status, 504)  # not 408, for the client need not go on

    def test_connections_are_kept(self):
        c = self.client()
        self.call(c=c)
        before = self.unit.connections
        for i in range(5):
            self.call(c=c)
        self.assertLessEqual(self.unit.connections - before, 2)  # each worker has its own

    def test_side_by_side(self):
        c = self.client()
        self.unit.gate.clear()
        ids = [c.open(c.usual('POST', '/gate', te='trailers')) for i in range(30)]
        self.assertEqual(self.call(c=c).status, 200)
        self.unit.gate.set()
        self.assertEqual([self.trailers(c.answer(i))['grpc-status'] for i in ids], ['0'] * 30)

    def test_a_refused_call_is_made_again(self):
        for refusals, status in ((1, 200), (3, 200), (4, 502)):
            self.unit.refusals = refusals
            self.assertEqual(self.call('/refuse', body=b'').status, status)

    def test_units_that_fail(self):
        self.assertEqual(self.call('/reset').status, 502)
        self.assertEqual(self.call('/close').status, 502)
        self.assertEqual(self.call('/bad').status, 502)
        with self.assertRaises(h2.Reset) as e:
            self.call('/cut')
        self.assertEqual(e.exception.code, h2.INTERNAL_ERROR)
        self.assertEqual(self.call('/violate').status, 502)
        with self.assertRaises(h2.Reset):
            self.call('/violate/late')
        self.assertEqual(self.call('/goaway').status, 200)
        self.assertEqual(self.call().status, 200)

    def test_a_unit_that_pings_while_nothing_is_asked(self):
        unit = Unit()
        self.addCleanup(unit.close)
        unit.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # small buffers at the other end, too
        unit.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        w = self.world
        w.app('hoard')
        w.etcd.put('routing/hoard', {'settings': {'h2c': True}})
        w.unit('hoard_v1.web.1')
        w.state('hoard_v1.web.1', unit.address)
        w.wait_status('hoard.example.com', 200)
        c = h2.plain(w.router.http, 'hoard.example.com')
        self.addCleanup(c.close)
        self.assertEqual(self.call('/hoard', c).body, b'plain')
        unit.gate.set()
        self.assertTrue(unit.blocked.wait(rig.DEADLINE))
        rig.wait_for(lambda: unit.pongs == unit.pings, 'the router goes on when it can')
        self.assertEqual(self.call('/plain', c).body, b'plain')
        self.assertTrue(w.router.is_well())

    def test_a_unit_that_breaks_off_costs_no_time(self):
        unit = Unit()
        self.addCleanup(unit.close)
        unit.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        unit.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        w = self.world
        w.app('sulk')
        w.etcd.put('routing/sulk', {'settings': {'h2c': True}})
        w.unit('sulk_v1.web.1')
        w.state('sulk_v1.web.1', unit.address)
        w.wait_status('sulk.example.com', 200)
        s = socket.socket()
        self.addCleanup(s.close)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(('127.0.0.1', w.router.http))
        s.sendall(b'POST /sulk HTTP/1.1\r\nHost: sulk.example.com\r\nContent-Length: 99999999\r\n\r\n')
        s.settimeout(1)
        with self.assertRaises(TimeoutError):
            while True:
                s.send(bytes(65536))  # until all on the way is full
        before = edge_test.cpu(w.router.p.pid)
        unit.gate.set()
        time.sleep(2)  # how much is used while nothing happens
        self.assertLess(edge_test.cpu(w.router.p.pid) - before, 0.2)

    def test_clients_of_http1(self):
        w = self.world
        status, fields, body = w.get('talk.example.com', '/plain')
        self.assertEqual((status, fields['content-length'], body), (200, '5', b'plain'))
        status, fields, body = w.get('talk.example.com', '/')
        self.assertEqual((status, fields['transfer-encoding'], body), (200, 'chunked', b'hello'))
        status, fields, body = w.get('talk.example.com', '/trailers-only')
        self.assertEqual((status, fields['content-length'], body), (200, '0', b''))
        with rig.Client(w.router.http) as c:
            for _ in range(3):  # the end of each is seen
                c.send(b'GET /empty HTTP/1.1\r\nHost: talk.example.com\r\n\r\n')
                status, fields, body = c.answer()
                self.assertEqual((status, body), (200, b''))
                self.assertTrue(fields.get('content-length') == '0' or fields.get('transfer-encoding') == 'chunked', fields)
        data = secrets.token_bytes(300000)
        status, fields, body = w.get('talk.example.com', '/echo', extra='Content-Length: 300000\r\n', method='POST', body=data)
        self.assertEqual((status, body == data), (200, True))
        chunks = b''.join(b'%x\r\n' % len(p) + p + b'\r\n' for p in (data[:70000], data[70000:])) + b'0\r\n\r\n'
        status, fields, body = w.get('talk.example.com', '/echo', extra='Transfer-Encoding: chunked\r\n', method='POST', body=chunks)
        self.assertEqual((status, body == data), (200, True))

    def test_an_upgrade_that_is_no_websocket_is_dropped(self):
        upgrade = 'Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n'
        self.assertEqual(self.world.get('talk.example.com', '/plain', extra=upgrade)[::2], (200, b'plain'))

    def test_a_reader_that_waits_holds_up_the_unit(self):
        c = self.client(credit=False)
        sid = c.open(path='/big/8000000')
        while len(c.answers[sid].body) < 65535:
            c.step()
        c.ping()
        self.assertEqual(len(c.answers[sid].body), 65535)
        c.credit = True
        c.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 8000000))
        c.frame(h2.WINDOW_UPDATE, 0, sid, struct.pack('!I', 8000000))
        self.assertEqual(len(c.answer(sid).body), 8000000)

    def test_the_setting_can_be_changed_under_way(self):
        w, plain = self.world, rig.Origin()
        self.addCleanup(plain.close)
        w.app('turn')
        w.unit('turn_v1.web.1')
        w.state('turn_v1.web.1', plain.address)
        w.wait_units('turn', 'turn_v1.web.1')
        self.assertEqual(w.get('turn.example.com')[2], b'origin')
        w.etcd.put('routing/turn', {'settings': {'h2c': True}})
        w.wait_status('turn.example.com', 502)
        w.etcd.delete('routing/turn')
        w.wait_status('turn.example.com', 200)


class Last(Connection):
    """Takes one request, says behind the answer that there may be no more, and stays (section 5.1.2)."""

    def answer_plain(self, sid):
        super().answer_plain(sid)
        self.frame(h2.SETTINGS, 0, 0, struct.pack('!HI', 3, 0))
        return True


class Sized(Connection):
    def answer_sized(self, sid):
        """Its length is known, and trailers follow."""
        self.head(sid, [(':status', '200'), ('content-length', '5')])
        self.frame(h2.DATA, 0, sid, b'plain')
        self.head(sid, [('x-trailer-%d' % i, 't' * 900) for i in range(6)], end=True)
        return True


class Kept(unittest.TestCase):
    """Connections to units that are kept for later requests."""

    def start(self, connection):
        self.world = w = etcd_test.World('--h2c')
        self.addCleanup(w.clear)
        unit = Unit(connection)
        self.addCleanup(unit.close)
        w.app('talk')
        w.etcd.put('routing/talk', {'settings': {'h2c': True, 'timeout': '5s'}})
        w.run('talk_v1.web.1-aaaa', unit)
        w.wait_units('talk', 'talk_v1.web.1-aaaa')
        self.router = w.router

    def test_one_that_takes_no_more_is_not_used_again(self):
        self.start(Last)
        self.assertEqual([self.world.get('talk.example.com', '/plain')[0] for _ in range(5)], [200] * 5)

    def test_they_hold_no_trailers(self):
        self.start(Sized)
        clients = [rig.Client(self.router.http) for _ in range(10)]
        for c in clients:
            self.addCleanup(c.close)
            c.send(b'GET /sized HTTP/1.1\r\nHost: talk.example.com\r\n\r\n')
        self.assertEqual([c.answer()[2] for c in clients], [b'plain'] * 10)
        rig.wait_for(lambda: self.router.metric('deis_router_buffer_bytes') == 0, 'all is given back', 10)


class Switches(unittest.TestCase):
    def test_both_are_in_effect_at_once(self):
        ca = tls_test.Authority()
        self.addCleanup(ca.clear)
        https, pair = rig.free_port(), ca.issue('*.example.com')
        w = etcd_test.World('--https', '127.0.0.1:%d' % https, '--cert', pair[0], '--key', pair[1])
        self.addCleanup(w.clear)

        def speaks_h2c():
            with rig.Client(w.router.http) as c:
                return not c.send(h2.PREFACE + bytes(3) + bytes([h2.SETTINGS]) + bytes(5)).take(9).startswith(b'HTTP/1.1 ')

        def chosen():
            context = ca.context()
            context.set_alpn_protocols(['h2', 'http/1.1'])
            with tls_test.Client(https, context, 'a.example.com') as c:
                return c.s.selected_alpn_protocol()

        self.assertEqual((speaks_h2c(), chosen()), (False, 'h2'))
        w.etcd.put('config/router/h2c', 'true')
        w.etcd.put('config/router/http2', 'false')
        rig.wait_for(speaks_h2c, 'h2c is spoken')
        rig.wait_for(lambda: chosen() == 'http/1.1', 'HTTP/2 is offered no more')
        w.etcd.delete('config/router/h2c')
        w.etcd.delete('config/router/http2')
        rig.wait_for(lambda: not speaks_h2c() and chosen() == 'h2', 'all is as before')


if __name__ == '__main__':
    unittest.main(verbosity=2)
