# SPDX-License-Identifier: MIT
"""WebSockets to units that speak HTTP/2 (RFC 8441), from clients of HTTP/1.1 and HTTP/2."""
import hashlib
import os
import signal
import socket
import struct
import tempfile
import threading
import unittest

import etcd_test
import h2_rig as h2
import handover_test
import rig
import tls_test
import unit_h2_test
from h2_websocket_test import CONNECT_PROTOCOL

HOST = 'talk.example.com'
KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='  # of it (RFC 6455 section 1.3)


class Connection(unit_h2_test.Connection):
    """What the path of an extended CONNECT says; others as before."""

    def settle(self):
        if self.unit.hold:
            self.unit.gate.wait(rig.DEADLINE)
        super().settle()

    def accept(self, sid, *more, **kw):
        self.head(sid, [(':status', '200'), *more], **kw)

    def early_ws(self, sid):
        self.accept(sid, ('sec-websocket-accept', 'of HTTP/1.1'), ('sec-websocket-protocol', 'chat'), ('x-own', '1'))
        self.frame(h2.DATA, 0, sid, rig.ws_frame(b'hello'))
        self.said_close = False
        self.frames = self.parse(sid)
        next(self.frames)

    def parse(self, sid):
        """Echoes whole frames of what comes until one says close."""
        text = b''
        while True:
            try:
                rest = text

                def read(n):
                    nonlocal rest
                    if len(rest) < n:
                        raise EOFError
                    data, rest = rest[:n], rest[n:]
                    return data
                op, data = rig.ws_read(read)
                text = rest
                self.said_close = op == 8
                self.send(sid, rig.ws_frame(data, op), end=op == 8)
            except EOFError:
                more = yield
                text += more

    def step(self):
        before = len(self.body)
        on = super().step()
        if on and self.path.startswith('/ws') and len(self.body) > before:
            self.frames.send(self.body[before:])
        return on

    def answer_ws(self, sid):
        if not self.said_close:
            self.frame(h2.DATA, h2.END_STREAM, sid)
        return True

    def early_raw(self, sid):
        self.accept(sid)

    def answer_raw(self, sid):
        return self.send(sid, b'%d bytes' % len(self.body))

    def early_flood(self, sid):
        self.accept(sid)
        for i in range(int(self.path.split('/')[2])):
            if not self.send(sid, bytes([i % 251]) * 65536, end=False):
                return
        self.frame(h2.DATA, h2.END_STREAM, sid)

    def early_both(self, sid):
        """Says more than the client reads, and reads all the same."""
        self.unit.heard = self
        self.pongs_before = self.unit.pongs
        self.accept(sid)
        self.frame(h2.PING, 0, 0, b'answered')
        self.send(sid, bytes(160 * 65536))

    def answer_both(self, sid):
        return True

    def early_deaf(self, sid):
        self.accept(sid)
        self.unit.gate.wait(rig.DEADLINE)

    answer_deaf = answer_raw

    def early_broken(self, sid):
        self.accept(sid)
        self.frame(h2.DATA, 0, sid, b'x')
        self.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.INTERNAL_ERROR))

    def early_brief(self, sid):
        self.accept(sid, end=True)

    def early_status(self, sid):
        status = self.path.split('/')[2]
        self.head(sid, [(':status', status), ('x-own', '1')], end=status != '403')
        if status == '403':
            self.frame(h2.DATA, h2.END_STREAM, sid, b'not you')

    def early_hints(self, sid):
        self.head(sid, [(':status', '103'), ('link', '</a>')])
        self.accept(sid)
        self.frame(h2.DATA, h2.END_STREAM, sid, b'after hints')

    def early_no(self, sid):
        self.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.INTERNAL_ERROR))

    def early_gone(self, sid):
        self.c.shutdown(socket.SHUT_RDWR)

    def early_silent(self, sid):
        self.unit.gate.wait(rig.DEADLINE)


class Unit(unit_h2_test.Unit):
    settings = struct.pack('!HI', CONNECT_PROTOCOL, 1)
    hold = False  # says its settings only when the gate is open

    def __init__(self):
        super().__init__(Connection)
        self.gate.set()


class World(unittest.TestCase):
    flags = ()

    @classmethod
    def start(cls):
        cls.logs = tempfile.TemporaryDirectory()
        path = os.path.join(cls.logs.name, 'access')
        cls.world = w = etcd_test.World('--h2c', '--access-log', path, *cls.flags)
        cls.router = w.router
        w.router.access = path
        cls.unit = Unit()
        cls.app('talk', cls.unit)

    @classmethod
    def app(cls, name, unit, **settings):
        w = cls.world
        w.app(name)
        w.etcd.put('routing/' + name, {'settings': {'h2c': True, **settings}})
        w.unit(name + '_v1.web.1')
        w.state(name + '_v1.web.1', unit.address)
        w.wait_units(name, name + '_v1.web.1')

    @classmethod
    def setUpClass(cls):
        cls.start()
        cls.addClassCleanup(cls.logs.cleanup)
        cls.addClassCleanup(cls.world.clear)
        cls.addClassCleanup(cls.unit.close)


class End:
    """A client; both kinds are used alike."""

    def __init__(self, test, host=HOST):
        self.test, self.host = test, host


class Http1(End):
    def connect(self, path, *lines):
        self.c = rig.Client(self.test.router.http)
        self.test.addCleanup(self.c.close)
        self.c.send('\r\n'.join(['GET %s HTTP/1.1' % path, 'Host: ' + self.host, 'Connection: Upgrade', 'Upgrade: websocket',
                                 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: ' + KEY, *lines, '', '']).encode())
        return self

    def granted(self):
        status, self.fields, _ = self.c.answer()
        self.test.assertEqual(status, 101)
        self.test.assertEqual((self.fields['upgrade'], self.fields['connection'], self.fields['sec-websocket-accept']),
                              ('websocket', 'upgrade', ACCEPT))
        return self

    def status(self):
        return self.c.answer()[::2]

    def send(self, data):
        self.c.send(data)

    def end(self):
        self.c.s.shutdown(socket.SHUT_WR)

    def take(self, n):
        return self.c.take(n)

    def rest(self):
        return self.c.rest()

    def is_reset(self):
        try:
            self.c.rest()
        except ConnectionResetError:
            return True
        return False

    def reset(self):
        self.c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.c.close()


class Http2(End):
    def connect(self, path, *lines):
        self.c = h2.plain(self.test.router.http, self.host)
        self.test.addCleanup(self.c.close)
        self.c.ping()
        fields = [(':method', 'CONNECT'), (':protocol', 'websocket'), (':scheme', 'https'), (':path', path),
                  (':authority', self.host), ('sec-websocket-version', '13')]
        self.sid = self.c.open(fields + [tuple(line.lower().split(': ')) for line in lines], end=False)
        self.a = self.c.answers[self.sid]
        return self

    def granted(self):
        self.fields = self.c.head(self.sid).fields
        self.test.assertEqual(self.fields[':status'], '200')
        self.test.assertEqual([n for n in self.fields if n in ('upgrade', 'connection', 'sec-websocket-accept')], [])
        return self

    def status(self):
        a = self.c.answer(self.sid)
        return a.status, a.body

    def send(self, data):
        self.c.upload(self.sid, data, end=False)

    def end(self):
        self.c.data(self.sid, b'', end=True)

    def take(self, n):
        while len(self.a.body) < n:
            if self.a.ended or self.a.reset is not None:
                raise EOFError
            self.c.step()
        data, self.a.body = self.a.body[:n], self.a.body[n:]
        return data

    def rest(self):
        return self.c.answer(self.sid).body

    def is_reset(self):
        while not self.a.ended and self.a.reset is None:
            self.c.step()
        return self.a.reset == h2.CANCEL

    def reset(self):
        self.c.frame(h2.RST_STREAM, 0, self.sid, struct.pack('!I', h2.CANCEL))


class Tests(World):
    def each(self, path, *lines, host=HOST):
        for kind in (Http1, Http2):
            yield kind(self, host).connect(path, *lines)

    def settled(self):
        rig.wait_for(lambda: self.router.metric('deis_router_tunnels') == 0, 'no tunnels')
        for name in ('connections', 'in_flight'):
            rig.wait_for(lambda: self.router.metric('deis_router_app_%s{app="talk"}' % name) == 0, 'no ' + name)


class Tunnels(Tests):
    def test_both_ways(self):
        for ws in self.each('/ws?room=1', 'Origin: https://site', 'X-Request-Id: both-ways', 'Sec-WebSocket-Protocol: chat'):
            ws.granted()
            self.assertEqual((ws.fields['sec-websocket-protocol'], ws.fields['x-own']), ('chat', '1'))
            self.assertEqual(rig.ws_read(ws.take), (1, b'hello'))
            for size in (0, 1, 125, 126, 65535, 65536, 2000000):
                data = os.urandom(size)
                sender = threading.Thread(target=ws.send, args=(rig.ws_frame(data, 2, b'wxyz'),)) if isinstance(ws, Http1) else None
                sender.start() if sender else ws.send(rig.ws_frame(data, 2, b'wxyz'))
                self.assertEqual(rig.ws_read(ws.take), (2, data))
                sender and sender.join()
            self.assertEqual(self.router.metric('deis_router_tunnels'), 1)
            self.assertEqual(self.router.metric('deis_router_app_connections{app="talk"}'), 1)
            self.assertEqual(self.router.metric('deis_router_app_in_flight{app="talk"}'), 0)
            ws.send(rig.ws_frame(b'', 8, b'mask'))
            self.assertEqual(rig.ws_read(ws.take), (8, b''))
            self.assertEqual(ws.rest(), b'')
            self.settled()
        for line in rig.wait_for(lambda: len(self.router.lines('both-ways')) == 2 and self.router.lines('both-ways'), 'two lines'):
            self.assertRegex(line, 'at=info method=GET path="/ws\\?room=1" .* status=101 ')

    def test_what_the_unit_is_asked(self):
        for ws in self.each('/raw', 'Origin: https://site', 'Cookie: a=b'):
            ws.granted()
            ws.end()
            self.assertEqual(ws.rest(), b'0 bytes')
            fields, _ = self.unit.requests[-1]
            sent = dict(fields)
            self.assertEqual([sent[n] for n in (':method', ':protocol', ':scheme', ':authority', ':path', 'sec-websocket-version', 'origin', 'cookie')],
                             ['CONNECT', 'websocket', 'http', HOST, '/raw', '13', 'https://site', 'a=b'])
            self.assertEqual([n for n in sent if n in ('upgrade', 'connection', 'sec-websocket-key', 'host', 'te', 'content-length')], [])
            self.assertEqual(sent['x-forwarded-for'], '127.0.0.1')

    def test_bytes_before_the_answer_and_an_end_of_the_clients(self):
        for ws in self.each('/raw'):
            ws.send(b'a' * 40000)
            ws.granted()
            ws.send(b'b' * 300000)
            ws.end()
            self.assertEqual(ws.rest(), b'340000 bytes')
        self.settled()

    def test_the_units_end_is_the_end_of_all(self):
        for path, size in (('/flood/20', 20 * 65536), ('/brief', 0), ('/hints', 11)):
            for ws in self.each(path):
                if path == '/hints' and isinstance(ws, Http1):
                    self.assertEqual(ws.status()[0], 103)
                ws.granted()
                self.assertEqual(len(ws.rest()), size)
        self.settled()

    def test_who_breaks_off(self):
        for ws in self.each('/broken', 'X-Request-Id: unit-breaks-off'):
            ws.granted()
            self.assertTrue(ws.is_reset())
        for ws in self.each('/ws'):
            ws.granted()
            ws.reset()
        self.settled()
        self.assertIn('status=101', self.router.lines('unit-breaks-off')[0])

    def test_over_tls(self):
        ca = tls_test.Authority()
        self.addCleanup(ca.clear)
        https, pair = rig.free_port(), ca.issue('*.example.com')
        w = etcd_test.World('--https', '127.0.0.1:%d' % https, '--cert', pair[0], '--key', pair[1])
        self.addCleanup(w.clear)
        w.app('talk')
        w.etcd.put('routing/talk', {'settings': {'h2c': True}})
        w.unit('talk_v1.web.1')
        w.state('talk_v1.web.1', self.unit.address)
        w.wait_units('talk', 'talk_v1.web.1')
        with tls_test.Client(https, ca.context(), HOST) as c:
            c.send(('GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: %s\r\n\r\n' %
                    (HOST, KEY)).encode())
            self.assertEqual(c.answer()[0], 101)
            self.assertEqual(rig.ws_read(c.take), (1, b'hello'))
            for i in range(20):
                c.send(rig.ws_frame(b'%d' % i * 3000, 2, b'wxyz'))
                self.assertEqual(rig.ws_read(c.take), (2, b'%d' % i * 3000))
            c.send(rig.ws_frame(b'', 8, b'mask'))
            self.assertEqual(rig.ws_read(c.take), (8, b''))
            self.assertEqual(c.rest(), b'')

    def test_a_unit_that_does_not_read_holds_the_client_up(self):
        self.addCleanup(self.unit.gate.set)
        for kind in (Http1, Http2):
            self.unit.gate.clear()  # before it is asked
            ws = kind(self).connect('/deaf').granted()
            data = b'a' * 8000000
            sent = threading.Event()
            if isinstance(ws, Http1):
                def send():
                    ws.send(data)
                    ws.end()
                    sent.set()
                threading.Thread(target=send, daemon=True).start()
                rig.wait_for(lambda: self.router.metric('deis_router_buffer_bytes') > 0, 'it is held')
            else:
                while min(ws.c.windows[0], ws.c.windows[ws.sid]) > 0:
                    n = min(ws.c.windows[0], ws.c.windows[ws.sid], 16384)
                    ws.c.windows[0] -= n
                    ws.c.windows[ws.sid] -= n
                    ws.c.data(ws.sid, b'a' * n)
                    data = data[n:]
                    ws.c.ping()
            self.assertLess(self.router.metric('deis_router_buffer_bytes'), 1 << 20)
            self.assertEqual(self.world.get(HOST, '/plain')[0], 200)  # others have their room
            self.assertFalse(sent.is_set())
            self.unit.gate.set()
            if isinstance(ws, Http2):
                ws.c.upload(ws.sid, data)
            self.assertEqual(ws.rest(), b'8000000 bytes')

    def test_a_client_that_does_not_read_holds_the_unit_up(self):
        whole = hashlib.sha1(b''.join(bytes([i % 251]) * 65536 for i in range(160))).digest()
        for ws in self.each('/flood/160'):
            ws.granted()
            if isinstance(ws, Http2):
                ws.c.credit = False
                while len(ws.a.body) < 65535:
                    ws.c.step()
                ws.c.ping()
                self.assertLess(len(ws.a.body), 256 * 1024)
                ws.c.credit = True
                for stream in (0, ws.sid):
                    ws.c.frame(h2.WINDOW_UPDATE, 0, stream, struct.pack('!I', len(ws.a.body)))
            else:
                rig.wait_for(lambda: self.router.metric('deis_router_buffer_bytes') > 0, 'something is held')
            self.assertLess(self.router.metric('deis_router_buffer_bytes'), 1 << 20)
            self.assertEqual(hashlib.sha1(ws.rest()).digest(), whole)

    def test_a_client_that_does_not_read_may_send(self):
        for ws in self.each('/both'):
            ws.granted()
            if isinstance(ws, Http2):
                ws.c.credit = False
            rig.wait_for(lambda: self.router.metric('deis_router_buffer_bytes') > 0, 'something is held')
            ws.send(b'a' * 1000000)
            rig.wait_for(lambda: len(self.unit.heard.body) == 1000000, 'the unit has it')
            rig.wait_for(lambda: self.unit.pongs == self.unit.heard.pongs_before + 1, 'its ping is answered')
            self.assertLess(self.router.metric('deis_router_buffer_bytes'), 1 << 20)
            ws.reset()
            self.settled()

    def test_the_limit_of_connections(self):
        w = self.world
        self.app('few', self.unit, maxConnections=1)
        for kind in (Http1, Http2):
            with self.subTest(kind.__name__):
                ws = kind(self, 'few.example.com').connect('/ws').granted()
                for other in (Http1, Http2):
                    status, body = other(self, 'few.example.com').connect('/ws').status()
                    self.assertEqual((status, b'H22' in body), (503, True))
                self.assertEqual(w.get('few.example.com', '/plain')[0], 200)
                ws.reset()
                rig.wait_for(lambda: self.router.metric('deis_router_app_connections{app="few"}') == 0, 'it is gone')

    def test_settings_that_come_late(self):
        for kind in (Http1, Http2):
            with self.subTest(kind.__name__):
                unit = Unit()
                self.addCleanup(unit.close)
                unit.hold = True
                unit.gate.clear()
                name = 'late' + kind.__name__.lower()
                self.app(name, unit)
                ws = kind(self, name + '.example.com').connect('/ws')
                rig.wait_for(lambda: unit.connections == 1, 'the router is there')
                unit.gate.set()
                self.assertEqual(rig.ws_read(ws.granted().take), (1, b'hello'))
                self.assertEqual(unit.connections, 1)

    def test_a_kept_connection_is_used(self):
        unit = Unit()
        self.addCleanup(unit.close)
        self.app('kept', unit)
        for kind in (Http1, Http2):
            c = kind(self, 'kept.example.com')
            for _ in range(6):
                self.assertEqual(self.world.get('kept.example.com', '/plain')[0], 200)
            before = unit.connections
            with self.subTest(kind.__name__):
                self.assertLessEqual(before, 3)
                c.connect('/ws').granted().reset()
                self.assertLessEqual(unit.connections, 4)


class Refusals(Tests):
    def test_a_unit_that_takes_none(self):
        for settings in (b'', struct.pack('!HI', CONNECT_PROTOCOL, 0)):
            unit = Unit()
            self.addCleanup(unit.close)
            unit.settings = settings
            name = 'none%d' % len(settings)
            self.app(name, unit)
            for kept in range(2):
                for ws in self.each('/ws', host=name + '.example.com'):
                    status, body = ws.status()
                    self.assertEqual((status, b'H26' in body), (501, True))
                self.assertEqual(self.world.get(name + '.example.com', '/plain')[0], 200)
            self.assertEqual([dict(f)[':method'] for f, _ in unit.requests], ['GET', 'GET'])

    def test_what_a_unit_answers_instead(self):
        for path, want in (('/status/403', (403, b'not you')), ('/status/302', (302, b'')), ('/no', (502, None)), ('/gone', (502, None))):
            for ws in self.each(path):
                status, body = ws.status()
                self.assertEqual(status, want[0])
                if want[1] is not None:
                    self.assertEqual(body, want[1])
        self.settled()

    def test_silence(self):
        self.unit.gate.clear()
        self.addCleanup(self.unit.gate.set)
        self.app('silent', self.unit, timeout='1s')
        for ws in self.each('/silent', host='silent.example.com'):
            self.assertEqual(ws.status()[0], 504)

    def test_what_is_no_opening_handshake(self):
        upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
        get = lambda extra, method='GET': self.world.get(HOST, '/ws', extra=upgrade + extra, method=method)
        before = len(self.unit.requests)
        for extra in ('', 'Sec-WebSocket-Key: short\r\n', 'Sec-WebSocket-Key: \r\n'):
            status, _, body = get(extra)
            self.assertEqual((status, b'H26' in body), (400, True), extra)
        self.assertEqual(get('Sec-WebSocket-Key: %s\r\n' % KEY, 'POST')[0], 400)
        self.assertEqual(len(self.unit.requests), before)


class Leaving(Tests):
    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.start()
        self.addCleanup(self.logs.cleanup)
        self.addCleanup(self.world.clear)
        self.addCleanup(self.unit.close)

    def test_a_router_that_is_told_to_end(self):
        ends = [kind(self).connect('/ws', 'X-Request-Id: it-leaves').granted() for kind in (Http1, Http2)]
        for ws in ends:
            self.assertEqual(rig.ws_read(ws.take), (1, b'hello'))
        self.router.p.send_signal(signal.SIGTERM)
        rig.wait_for(lambda: not rig.can_connect(self.router.http), 'it accepts no more')
        for ws in ends:
            ws.send(rig.ws_frame(b'y' * 20000, 2, b'mask'))
            self.assertEqual(rig.ws_read(ws.take), (2, b'y' * 20000))
            ws.send(rig.ws_frame(b'', 8, b'mask'))
            self.assertEqual(rig.ws_read(ws.take), (8, b''))
        self.assertEqual(self.router.stop(how=None), 0)

    def test_a_router_that_may_wait_no_longer(self):
        self.world.etcd.put('config/router/leaveTimeout', '1s')
        self.world.app('later')
        self.world.wait_status('later.example.com', 503)  # what came before it is known, too
        ends = [kind(self).connect('/ws', 'X-Request-Id: it-leaves').granted() for kind in (Http1, Http2)]
        old = handover_test.successor(self.router)
        handover_test.taken(self.router)
        self.assertEqual(old.wait(rig.DEADLINE), 0)
        lines = rig.wait_for(lambda: len(self.router.lines('it-leaves')) == len(ends) and self.router.lines('it-leaves'), 'a line of each')
        for line in lines:
            self.assertRegex(line, 'at=info .* status=101 ')


if __name__ == '__main__':
    unittest.main(verbosity=2)
