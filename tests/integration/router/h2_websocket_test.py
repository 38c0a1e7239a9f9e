# SPDX-License-Identifier: MIT
"""WebSockets over HTTP/2 (RFC 8441) to units that speak HTTP/1.1."""
import base64
import hashlib
import os
import select
import signal
import socket
import struct
import unittest

import h2_rig as h2
import handover_test
import rig
from h2_test import HOST, H2

CONNECT_PROTOCOL = 8  # the setting
UPGRADE = b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'


def accept(fields):
    key = dict((n.lower(), v) for n, v in fields)['sec-websocket-key']
    digest = hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()
    return b'Sec-WebSocket-Accept: ' + base64.b64encode(digest) + b'\r\n\r\n'


class Unit(rig.Origin):
    def answer_raw(self, c, f, method, path, fields, body):
        """Not a WebSocket but what is in one: all bytes, and a last word when no more come."""
        c.sendall(UPGRADE + accept(fields))
        n = 0
        while data := f.read1(65536):
            n += len(data)
        c.sendall(b'%d bytes' % n)
        return False

    def answer_flood(self, c, f, method, path, fields, body):
        c.sendall(UPGRADE + accept(fields))
        for i in range(int(path.split('/')[2])):
            c.sendall(bytes([i % 251]) * 65536)
        return False

    def answer_deaf(self, c, f, method, path, fields, body):
        """Reads nothing until the gate is open."""
        c.sendall(UPGRADE + accept(fields))
        self.gate.wait()
        n = 0
        while data := f.read1(65536):
            n += len(data)
        c.sendall(b'%d bytes' % n)
        return False

    def answer_silent(self, c, f, method, path, fields, body):
        """Leaves the question open until the gate is."""
        self.gate.wait()
        return False

    def answer_broken(self, c, f, method, path, fields, body):
        """One word, then a reset."""
        c.sendall(UPGRADE + accept(fields) + b'x')
        f.read1(1)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        return False

    def answer_liar(self, c, f, method, path, fields, body):
        c.sendall(UPGRADE + b'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n')
        return False

    def answer_protocol(self, c, f, method, path, fields, body):
        c.sendall(UPGRADE + b'Sec-WebSocket-Protocol: chat\r\nX-Own: 1\r\nContent-Length: 3\r\n' + accept(fields))
        return False


class Sockets(H2):
    unit = Unit

    def connect(self, c, path='/ws', protocol='websocket', end=False, **more):
        fields = [(':method', 'CONNECT'), (':protocol', protocol), (':scheme', 'https'), (':path', path), (':authority', c.host),
                  ('sec-websocket-version', '13')] + [(k.replace('_', '-'), v) for k, v in more.items()]
        return c.open(fields, end=end)

    def opened(self, c, path='/ws', **more):
        sid = self.connect(c, path, **more)
        self.assertEqual(c.head(sid).status, 200)
        return sid

    def take(self, c, sid):
        """How ws_read() reads from the stream."""
        def read(n):
            a = c.answers[sid]
            while len(a.body) < n:
                if a.ended or a.reset is not None:
                    raise EOFError('%r, reset %s' % (a.body[:100], a.reset))
                c.step()
            data, a.body = a.body[:n], a.body[n:]
            return data
        return read

    def read(self, c, sid):
        return rig.ws_read(self.take(c, sid))

    def until_reset(self, c, sid):
        a = c.answers[sid]
        while a.reset is None:
            c.step()
        return a.reset

    def tunnels(self, n):
        rig.wait_for(lambda: self.router.metric('deis_router_tunnels') == n, '%d tunnels' % n)

    def idle_units(self):
        """No unit has a connection of a tunnel any more, and nothing is counted."""
        self.tunnels(0)
        for name in ('connections', 'in_flight'):
            rig.wait_for(lambda: self.router.metric('deis_router_app_%s{app="%s"}' % (name, HOST)) == 0, 'no ' + name)


class Tunnels(Sockets):
    def test_both_ways(self):
        for plain in (False, True):
            c = self.client(plain=plain)
            c.ping()
            self.assertEqual(c.settings[CONNECT_PROTOCOL], 1)
            sid = self.opened(c, '/ws?room=1', origin='https://' + HOST, x_request_id='h2-ws-%d' % plain)
            self.assertEqual([n for n in c.answers[sid].fields if n in ('upgrade', 'connection') or n.startswith('sec-')], [])
            line, fields, _ = self.last()
            self.assertEqual(line, 'GET /ws?room=1 HTTP/1.1')
            sent = dict(fields)
            self.assertEqual((sent['connection'], sent['upgrade'], sent['sec-websocket-version'], sent['origin'], sent['host']),
                             ('upgrade', 'websocket', '13', 'https://' + HOST, HOST))
            self.assertEqual(len(base64.b64decode(sent['sec-websocket-key'], validate=True)), 16)
            self.assertEqual(self.read(c, sid), (1, b'hello'))
            for size in (0, 1, 125, 126, 65535, 65536, 3000000):
                data = os.urandom(size)
                c.upload(sid, rig.ws_frame(data, 2, b'wxyz'), end=False)
                self.assertEqual(self.read(c, sid), (2, data))
            self.assertEqual(self.router.metric('deis_router_tunnels'), 1)
            self.assertEqual(self.router.metric('deis_router_app_connections{app="%s"}' % HOST), 1)
            self.assertEqual(self.router.metric('deis_router_app_in_flight{app="%s"}' % HOST), 0)
            # Its own close, in both directions; the stream ends as the unit's connection did.
            c.data(sid, rig.ws_frame(b'', 8, b'mask'))
            self.assertEqual(self.read(c, sid), (8, b''))
            c.answer(sid)
            self.idle_units()
            line, = self.router.lines('h2-ws-%d' % plain)
            self.assertRegex(line, 'at=info method=GET path="/ws\\?room=1" .* status=101 ')
            self.assertEqual(c.get().status, 200)

    def test_keys_differ(self):
        c = self.client()
        keys = set()
        for _ in range(20):
            self.opened(c, sec_websocket_key='dGhlIHNhbXBsZSBub25jZQ==')
            keys.update(v for n, v in self.last()[1] if n == 'sec-websocket-key')
        self.assertEqual(len(keys), 20)
        self.assertNotIn('dGhlIHNhbXBsZSBub25jZQ==', keys)

    def test_many_on_a_connection_beside_requests(self):
        c = self.client()
        ids = [self.opened(c) for _ in range(50)]
        for i, sid in enumerate(ids):
            c.data(sid, rig.ws_frame(b'no. %d' % i, 1, b'mask'))
        for i, sid in enumerate(ids):
            self.assertEqual(self.read(c, sid), (1, b'hello'))
            self.assertEqual(self.read(c, sid), (1, b'no. %d' % i))
        self.assertEqual(c.get().status, 200)
        c.close()
        self.idle_units()

    def test_bytes_that_come_before_the_answer(self):
        c = self.client()
        sid = self.connect(c, '/raw')
        c.upload(sid, b'a' * 40000)
        self.assertEqual(c.answer(sid).body, b'40000 bytes')
        sid = self.connect(c, '/raw', end=True)
        self.assertEqual(c.answer(sid).body, b'0 bytes')

    def test_one_direction_may_end_first(self):
        c = self.client()
        sid = self.opened(c, '/raw')
        c.upload(sid, b'a' * 300000)
        self.assertEqual(c.answer(sid).body, b'300000 bytes')
        self.assertIsNone(c.answers[sid].reset)
        # The unit's end is the end of all: it has closed.
        sid = self.opened(c, '/flood/1')
        self.assertEqual(len(c.answer(sid).body), 65536)
        self.assertEqual(self.until_reset(c, sid), h2.NO_ERROR)
        self.idle_units()

    def test_fields_of_the_answer(self):
        c = self.client()
        sid = self.connect(c, '/protocol', sec_websocket_protocol='chat, superchat')
        fields = c.answer(sid).fields
        self.assertEqual((fields[':status'], fields['sec-websocket-protocol'], fields['x-own']), ('200', 'chat', '1'))
        self.assertNotIn('content-length', fields)
        self.assertNotIn('sec-websocket-accept', fields)
        self.assertIn(('sec-websocket-protocol', 'chat, superchat'), self.last()[1])

    def test_a_unit_that_breaks_off(self):
        c = self.client()
        sid = self.opened(c, '/broken', x_request_id='breaks-off')
        c.data(sid, b'y')
        self.assertEqual(self.until_reset(c, sid), h2.CANCEL)
        self.assertIn('status=101', self.router.lines('breaks-off')[0])
        self.assertEqual(c.get().status, 200)
        self.idle_units()

    def test_a_client_that_resets(self):
        c = self.client()
        sid = self.opened(c, x_request_id='it-resets')
        other = self.opened(c)
        self.tunnels(2)
        c.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.CANCEL))
        self.tunnels(1)
        line, = self.router.lines('it-resets')
        self.assertIn('at=info', line)
        self.assertEqual(self.read(c, other), (1, b'hello'))
        c.data(other, rig.ws_frame(b'still here', 1, b'mask'))
        self.assertEqual(self.read(c, other), (1, b'still here'))
        c.close()
        self.idle_units()

    def fill(self, c, sid):
        """Each time all that the window allows, until it grows no more although the router has seen all. Returns how much."""
        c.ping()
        sent = 0
        while True:
            room = min(c.windows[0], c.windows[sid], 16384)
            if room <= 0:
                c.ping()
                if min(c.windows[0], c.windows[sid]) <= 0:
                    return sent
                continue
            c.windows[0] -= room
            c.windows[sid] -= room
            c.data(sid, b'a' * room)
            sent += room

    def test_a_unit_that_does_not_read_holds_the_client_up(self):
        c = self.client()
        self.origin.gate.clear()
        sid = self.opened(c, '/deaf')
        sent = self.fill(c, sid)
        self.assertLess(self.router.metric('deis_router_buffer_bytes'), 1 << 20)
        self.assertEqual(c.get().status, 200)  # others have their room
        self.origin.gate.set()
        c.upload(sid, b'b' * 500000)
        self.assertEqual(c.answer(sid).body, b'%d bytes' % (sent + 500000))

    def test_a_unit_that_pauses(self):
        """For longer than a machine that is gone gets; clients of HTTP/1.1 and of HTTP/2."""
        self.origin.gate.clear()
        self.addCleanup(self.origin.gate.set)
        c = self.client()
        sid = self.opened(c, '/deaf')
        sent = self.fill(c, sid)
        other = rig.Client(self.router.http)
        self.addCleanup(other.close)
        other.send(b'GET /deaf HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
                   b'Sec-WebSocket-Key: a2V5\r\n\r\n' % HOST.encode())
        self.assertEqual(other.answer(head_only=True)[0], 101)
        other_sent = 0
        while select.select([], [other.s], [], 0.5)[1]:
            other_sent += other.s.send(bytes(65536))
        # The kernel's time for what is not acknowledged, 20 s, goes by without an end or a reset.
        self.assertEqual(select.select([other.s], [], [], 23)[0], [])
        self.origin.gate.set()
        c.upload(sid, b'b' * 500000)
        self.assertEqual(c.answer(sid).body, b'%d bytes' % (sent + 500000))
        other.s.shutdown(socket.SHUT_WR)
        self.assertEqual(other.rest(), b'%d bytes' % other_sent)

    def test_a_client_that_does_not_read_holds_the_unit_up(self):
        c = self.client(credit=False)
        sid = self.opened(c, '/flood/160')
        a = c.answers[sid]
        while len(a.body) < 65535:
            c.step()
        c.ping()
        self.assertEqual(len(a.body), 65535)
        self.assertLess(self.router.metric('deis_router_buffer_bytes'), 1 << 20)
        c.credit = True
        for stream in (0, sid):
            c.frame(h2.WINDOW_UPDATE, 0, stream, struct.pack('!I', 65535))
        self.assertEqual(hashlib.sha1(c.answer(sid).body).digest(),
                         hashlib.sha1(b''.join(bytes([i % 251]) * 65536 for i in range(160))).digest())

    def fill_memory(self, begin, met):
        """What all hold together stays within bufferMemory: the laziest streams go, as met(client, stream) says."""
        unit = Unit()
        unit.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        unit.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        router = rig.Static([(HOST, unit.port)], '--h2c', '--buffer-memory', '1m', workers=1).start()
        self.addCleanup(router.clear)
        self.addCleanup(unit.close)
        self.addCleanup(unit.gate.set)
        clients = [h2.plain(router.http, HOST) for _ in range(6)]
        for c in clients:
            self.addCleanup(c.close)
        streams = [(c, begin(c)) for c in clients for _ in range(8)]

        def fill():
            for c, sid in streams:
                room = min(c.windows[0], c.windows[sid], 16384)
                if room > 0 and c.answers[sid].reset is None:
                    c.windows[0] -= room
                    c.windows[sid] -= room
                    c.data(sid, b'a' * room)
            for c in clients:
                c.ping()
            return router.metric('deis_router_connections_shed_total') > 10
        rig.wait_for(fill, 'the laziest are let go')
        rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') <= 1 << 20, 'buffers are within their limit')
        for c in clients:
            c.ping()  # what became of their streams has been read
        let_go = [met(c, sid) for c, sid in streams]
        self.assertIn(True, let_go)
        self.assertIn(False, let_go)  # no more than had to
        self.assertEqual(clients[0].get().status, 200)

    def test_memory_of_those_whose_unit_does_not_read(self):
        self.fill_memory(lambda c: self.opened(c, '/deaf'), lambda c, sid: c.answers[sid].reset == h2.CANCEL)

    def test_memory_of_those_whose_unit_does_not_answer(self):
        self.fill_memory(lambda c: self.connect(c, '/silent'), lambda c, sid: c.answers[sid].reset is not None)

    def test_silence(self):
        router = rig.Static([(HOST, self.origin.port)], '--h2c', '--default-timeout', '1s').start()
        self.addCleanup(router.clear)
        c = h2.plain(router.http, HOST)
        self.addCleanup(c.close)
        sid = self.opened(c)
        self.assertEqual(self.until_reset(c, sid), h2.CANCEL)
        self.assertEqual(c.get().status, 200)
        rig.wait_for(lambda: router.metric('deis_router_tunnels') == 0, 'it is gone')


class Refusals(Sockets):
    def refused(self, path, status, code='', **kw):
        c = self.client()
        a = c.answer(self.connect(c, path, **kw))
        self.assertEqual(a.status, status)
        self.assertIn(code.encode(), a.body)
        self.assertEqual(c.get().status, 200)
        self.idle_units()

    def test_what_a_unit_answers_instead(self):
        self.refused('/status/403', 403)
        self.refused('/status/302', 302)
        # Each 2xx would tell the client that it has its WebSocket.
        self.refused('/', 502, 'H17')
        self.refused('/status/204', 502, 'H17')
        self.refused('/liar', 502, 'H17')
        self.refused('/101', 502, 'H17')
        self.refused('/drop', 502, 'H13')

    def test_what_the_router_answers(self):
        self.refused('/ws', 501, 'H26', protocol='connect-udp')
        c = self.client()
        before = len(self.origin.requests)
        for path in ('/ws', '/health-check'):
            other = self.client('nobody.site.test')
            self.assertEqual(other.answer(self.connect(other, path)).status, 404)
        down = self.client('down.site.test')
        self.assertEqual(down.answer(self.connect(down)).status, 502)
        usual = [(':method', 'CONNECT'), (':protocol', 'websocket'), (':scheme', 'https'), (':path', '/ws'), (':authority', HOST)]
        for fields in (usual[:2] + usual[4:], usual[:3] + usual[4:], usual[:4], usual + [(':protocol', 'websocket')],
                       [(':method', 'GET')] + usual[1:], [usual[0], (':protocol', '')] + usual[2:], usual + [('content-length', '0')],
                       usual + [('upgrade', 'websocket')], usual + [('connection', 'upgrade')], usual[:3] + [(':path', '*')] + usual[4:],
                       [usual[0], usual[4]]):
            sid = c.open(fields, end=False)
            try:
                self.assertIn(c.answer(sid).status, (400, 501), fields)
            except h2.Reset as e:
                self.assertEqual(e.code, h2.PROTOCOL_ERROR, fields)
        self.assertEqual(len(self.origin.requests), before)
        self.assertEqual(c.get().status, 200)


class Leaving(Sockets):
    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        Sockets.setUpClass.__func__(type(self))
        self.c = self.client()
        self.sid = self.opened(self.c)
        self.assertEqual(self.read(self.c, self.sid), (1, b'hello'))

    def tearDown(self):
        H2.tearDownClass.__func__(type(self))

    def goes_on_and_ends(self):
        c, sid = self.c, self.sid
        while len(c.goaways) < 2:
            c.step()
        self.assertEqual(c.goaways[-1], (sid, h2.NO_ERROR))
        c.upload(sid, rig.ws_frame(b'y' * 200000, 2, b'mask'), end=False)
        self.assertEqual(self.read(c, sid), (2, b'y' * 200000))
        c.data(sid, rig.ws_frame(b'', 8, b'mask'))
        self.assertEqual(self.read(c, sid), (8, b''))
        c.answer(sid)
        self.assertEqual(c.end(), h2.NO_ERROR)

    def test_a_router_that_is_told_to_end(self):
        self.router.p.send_signal(signal.SIGTERM)
        self.goes_on_and_ends()
        self.assertEqual(self.router.stop(how=None), 0)

    def test_another_process_takes_over(self):
        old = handover_test.successor(self.router)
        handover_test.taken(self.router)
        self.goes_on_and_ends()
        self.assertEqual(old.wait(rig.DEADLINE), 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
