# SPDX-License-Identifier: MIT
"""The router's edge: behind load balancers (PROXY protocol, X-Forwarded-*), and against those who want too much."""
import json
import os
import re
import resource
import socket
import ssl
import struct
import subprocess
import threading
import time
import unittest

import h2_rig as h2
import rig

HOST = 'app.test'
SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
BALANCER = '127.0.0.9'  # of the range that is believed; clients of their own come from 127.0.0.1
BELIEVED = '127.0.0.8/30'


def request(line='GET / HTTP/1.1', *fields):
    return '\r\n'.join([line, 'Host: ' + HOST, *fields, '', '']).encode()


def v2(source, destination, ports=(4711, 80), command=0x21, more=b''):
    family = socket.AF_INET6 if ':' in source else socket.AF_INET
    body = socket.inet_pton(family, source) + socket.inet_pton(family, destination) + struct.pack('!HH', *ports) + more
    return SIGNATURE + struct.pack('!BBH', command, 0x21 if ':' in source else 0x11, len(body)) + body


class Edge(unittest.TestCase):
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.origin = rig.Origin()
        cls.router = rig.Static([(HOST, cls.origin.port)], *cls.flags).start()

    @classmethod
    def tearDownClass(cls):
        cls.router.clear()
        cls.origin.close()

    def client(self, source='127.0.0.1', port=None):
        c = rig.Client(port or self.router.http, source)
        self.addCleanup(c.close)
        return c

    def seen(self):
        """What the origin was told last."""
        return dict(self.origin.requests[-1][1])


class ProxyProtocol(Edge):
    flags = ('--proxy-protocol=true', '--proxy-real-ip-cidr', '127.0.0.8/30')

    def told(self, head):
        """The client's address as the origin and the log see it, after this header."""
        rid = 'told-%d' % time.monotonic_ns()
        c = self.client(BALANCER)
        c.send(head + request('GET / HTTP/1.1', 'X-Request-Id: ' + rid))
        self.assertEqual(c.answer()[0], 200)
        address = self.seen()['X-Forwarded-For']
        self.assertIn('fwd="%s"' % address, self.router.lines(rid)[0])
        return address

    def test_headers_tell_the_client(self):
        for head, address in ((b'PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n', '203.0.113.7'),
                              (b'PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n', '2001:db8::7'),
                              (b'PROXY TCP6 ::ffff:203.0.113.7 ::1 4711 80\r\n', '203.0.113.7'),
                              (b'PROXY UNKNOWN\r\n', BALANCER),
                              (v2('203.0.113.7', '192.0.2.1'), '203.0.113.7'),
                              (v2('2001:db8::7', '2001:db8::1'), '2001:db8::7'),
                              (v2('203.0.113.7', '192.0.2.1', more=b'\x04\0\x64' + bytes(100)), '203.0.113.7'),
                              (v2('203.0.113.7', '192.0.2.1', command=0x20), BALANCER)):
            with self.subTest(head):
                self.assertEqual(self.told(head), address)

    def test_header_in_pieces(self):
        for head in (b'PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n', v2('203.0.113.7', '192.0.2.1')):
            c = self.client(BALANCER)
            c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for b in head + request():
                c.send(bytes([b]))
            self.assertEqual(c.answer()[0], 200)
            self.assertEqual(self.seen()['X-Forwarded-For'], '203.0.113.7')

    def test_balancers_without_a_good_header_are_refused(self):
        before = self.router.metric('deis_router_connections_refused_total{reason="proxy_header"}')
        bad = (request(), b'PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n' + request(), b'PROXY TCP4 1 2 3 4\r\n' + request(),
               b'PROXY ' + b'a' * 200, SIGNATURE + b'\x11\x11\0\x0c' + bytes(12), SIGNATURE + b'\x21\x11\xff\xff')
        for raw in bad:
            with self.subTest(raw):
                seen = len(self.origin.requests)
                c = self.client(BALANCER)
                c.send(raw)
                self.assertTrue(c.closed())
                self.assertEqual(len(self.origin.requests), seen)
        self.assertEqual(self.router.metric('deis_router_connections_refused_total{reason="proxy_header"}'), before + len(bad))
        self.assertIn('PROXY', self.router.log())

    def test_a_header_from_anybody_else_is_no_request(self):
        for head in (b'PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n', v2('203.0.113.7', '192.0.2.1')):
            c = self.client()
            c.send(head + request())
            self.assertEqual(c.answer()[0], 400)
            self.assertTrue(c.closed())

    def test_others_need_none(self):
        c = self.client()
        c.send(request())
        self.assertEqual(c.answer()[0], 200)
        self.assertEqual(self.seen()['X-Forwarded-For'], '127.0.0.1')

    def test_fields_of_the_client_behind_are_not_believed(self):
        c = self.client(BALANCER)
        c.send(b'PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n' +
               request('GET / HTTP/1.1', 'X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Proto: https'))
        self.assertEqual(c.answer()[0], 200)
        self.assertEqual((self.seen()['X-Forwarded-For'], self.seen()['X-Forwarded-Proto']), ('203.0.113.7', 'http'))


class ProxyProtocolOverTls(Edge):
    @classmethod
    def setUpClass(cls):
        cls.origin = rig.Origin()
        cls.https = rig.free_port()
        cls.router = rig.Static([(HOST, cls.origin.port)])
        cert, key = (os.path.join(cls.router.dir, n) for n in ('cert', 'key.pem'))
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=' + HOST,
                        '-addext', 'subjectAltName=DNS:' + HOST, '-keyout', key, '-out', cert], check=True, stderr=subprocess.DEVNULL)
        cls.router.argv += ['--https', '127.0.0.1:%d' % cls.https, '--cert', cert, '--key', key, '--proxy-protocol=true',
                            '--proxy-real-ip-cidr', BELIEVED]
        cls.router.start()
        cls.context = ssl.create_default_context(cafile=cert)

    def test_the_header_comes_before_the_handshake(self):
        c = self.client(BALANCER, self.https)
        c.send(v2('203.0.113.7', '192.0.2.1'))
        c.s = self.context.wrap_socket(c.s, server_hostname=HOST)
        c.send(request())
        self.assertEqual(c.answer()[0], 200)
        self.assertEqual((self.seen()['X-Forwarded-For'], self.seen()['X-Forwarded-Proto']), ('203.0.113.7', 'https'))

    def test_without_it_there_is_no_handshake(self):
        c = self.client(BALANCER, self.https)
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            self.context.wrap_socket(c.s, server_hostname=HOST)


class Forwarded(Edge):
    flags = ('--proxy-real-ip-cidr', BELIEVED)

    def get(self, source, *fields):
        c = self.client(source)
        c.send(request('GET / HTTP/1.1', *fields))
        self.assertEqual(c.answer()[0], 200)
        seen = self.seen()
        return seen['X-Forwarded-For'], seen['X-Forwarded-Proto'], seen['X-Forwarded-Port']

    def test_balancers_are_believed_and_nobody_else(self):
        port = str(self.router.http)
        fields = ('X-Forwarded-For: 6.6.6.6, 203.0.113.7, 127.0.0.10', 'X-Forwarded-Proto: https')
        self.assertEqual(self.get(BALANCER, *fields), ('203.0.113.7', 'https', '443'))
        self.assertEqual(self.get(BALANCER, *fields, 'X-Forwarded-Port: 8443'), ('203.0.113.7', 'https', '8443'))
        self.assertEqual(self.get(BALANCER), (BALANCER, 'http', port))
        self.assertEqual(self.get('127.0.0.1', *fields, 'X-Forwarded-Port: 8443'), ('127.0.0.1', 'http', port))

    def test_each_request_of_a_connection_has_its_own_client(self):
        c = self.client(BALANCER)
        for i in range(3):
            c.send(request('POST /echo HTTP/1.1', 'X-Forwarded-For: 203.0.113.%d' % i, 'Transfer-Encoding: chunked'))
            c.send(b'5\r\nfirst\r\n')
            c.send(b'0\r\n\r\n' + b'')
            self.assertEqual(c.answer()[2], b'first')
            self.assertEqual(self.seen()['X-Forwarded-For'], '203.0.113.%d' % i)

    def test_traces_are_passed_on_when_they_are_valid(self):
        good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
        self.get('127.0.0.1', 'traceparent: ' + good, 'tracestate: a=1')
        self.assertEqual((self.seen()['traceparent'], self.seen()['tracestate']), (good, 'a=1'))
        self.get('127.0.0.1', 'traceparent: ' + good.upper(), 'tracestate: a=1')
        self.assertNotIn('tracestate', self.seen())
        self.get('127.0.0.1')
        self.assertNotIn('traceparent', self.seen())


class Chatter(rig.Origin):
    """Upgraded, it says more than anybody reads, or reads nothing."""
    UPGRADE = b'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'

    def answer_talks(self, c, f, method, path, fields, body):
        c.sendall(self.UPGRADE)
        while True:
            c.sendall(bytes(65536))

    def answer_listens_not(self, c, f, method, path, fields, body):
        c.sendall(self.UPGRADE)
        self.gate.wait()
        return False


# A stuck connection holds a buffer of 4 KiB at least, more when its reads came in larger pieces: a crowd is always too much.
NARROW, CROWD = ('--buffer-memory', '512k'), 150
ROOM = ('--buffer-memory', '4m')  # for so many that a few at once make no difference
MUCH = '/stream/100000000'  # more than the kernel takes in for anybody


def unread(router, client):
    """Bytes of a client that wait in the kernel for the router, or 1: perhaps some."""
    ends = ' 0100007F:%04X 0100007F:%04X ' % (router.http, client.s.getsockname()[1])
    with open('/proc/net/tcp') as f:
        # While others come and go a reader of that file may miss a line.
        return next((int(line.split()[4].split(':')[1], 16) for line in f if ends in line), 1)


class Limits(unittest.TestCase):
    def start(self, *flags, workers=1):
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        router = rig.Static([(HOST, self.origin.port)], *flags, workers=workers).start()
        self.addCleanup(router.clear)
        return router

    def client(self, router, source='127.0.0.1'):
        c = rig.Client(router.http, source)
        self.addCleanup(c.close)
        return c

    def answer(self, c, *request_args):
        c.send(request(*request_args))
        return c.answer()

    def admitted(self, router, source):
        try:
            return self.answer(self.client(router, source))[0] == 200
        except (EOFError, OSError):
            return False

    def test_connections_of_an_address(self):
        router = self.start('--address-connections', '3', workers=2)
        held = [self.client(router, '127.0.0.2') for _ in range(3)]
        for c in held:
            self.assertEqual(self.answer(c)[0], 200)
        c = self.client(router, '127.0.0.2')
        status, fields, body = c.answer()  # at once, before it has said anything
        self.assertEqual((status, fields['connection']), (429, 'close'))
        self.assertIn(b'D03', body)
        self.assertEqual(self.answer(self.client(router, '127.0.0.3'))[0], 200)
        held[0].close()
        rig.wait_for(lambda: self.admitted(router, '127.0.0.2'), 'one that left makes room')
        self.assertGreater(router.metric('deis_router_connections_refused_total{reason="address"}'), 0)

    def test_upgraded_connections_count_until_they_end(self):
        router = self.start('--address-connections', '1')
        ws = self.client(router, '127.0.0.2')
        ws.send(request('GET /ws HTTP/1.1', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
                        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='))
        self.assertEqual(ws.answer()[0], 101)
        self.assertEqual(self.client(router, '127.0.0.2').answer()[0], 429)
        ws.close()
        rig.wait_for(lambda: self.admitted(router, '127.0.0.2'), 'its end makes room')

    def test_clients_behind_a_load_balancer_count_as_themselves(self):
        router = self.start('--proxy-protocol=true', '--proxy-real-ip-cidr', BELIEVED, '--address-connections', '2')

        def behind(client):
            c = self.client(router, BALANCER)
            c.send(v2(client, '2001:db8::1' if ':' in client else '192.0.2.1'))
            return c
        for address in ('203.0.113.1', '203.0.113.2', '2001:db8:1::1', '2001:db8:2::1'):
            for _ in range(2):
                self.assertEqual(self.answer(behind(address))[0], 200)
        for address in ('203.0.113.1', '2001:db8:1::ffff'):  # the same /64
            self.assertEqual(behind(address).answer()[0], 429)

    def test_new_connections_a_second(self):
        router = self.start('--address-rate', '10')
        statuses = []

        def refused():
            """Some of so many that come faster than ten a second."""
            for c in [self.client(router, '127.0.0.2') for _ in range(60)]:
                try:
                    statuses.append(self.answer(c)[0])
                except (EOFError, OSError):
                    statuses.append(429)
                c.close()
            return router.metric('deis_router_connections_refused_total{reason="rate"}')
        rig.wait_for(refused, 'some are refused')
        self.assertEqual(statuses[:10], [200] * 10)
        self.assertEqual(set(statuses), {200, 429})
        self.assertEqual(self.answer(self.client(router))[0], 200)

    def test_slow_heads_make_room_for_others(self):
        router = self.start('--worker-connections', '8')
        slow = [self.client(router) for _ in range(8)]
        for c in slow:
            c.send(b'GET / HTTP/1.1\r\nHost: ')
        rig.wait_for(lambda: router.metric('deis_router_connections') == 8, 'all are there')

        def served():
            for c in slow:
                try:
                    c.send(b'a')  # they trickle on
                except OSError:
                    pass
            return self.admitted(router, '127.0.0.1')
        rig.wait_for(served, 'a client that does its part is served')
        self.assertGreater(router.metric('deis_router_connections_shed_total'), 0)

    def test_a_body_that_trickles_is_cut(self):
        """The app must not be held up for hours by a byte now and then."""
        router = self.start('--body-rate', '1000')
        fields = (('Content-Length: 1000000', b'a'), ('Content-Length: 1000', b'a'), ('Transfer-Encoding: chunked', b'1\r\na\r\n'))
        slow = []
        patient = self.client(router)  # waits as one does for a 100 Continue, then does its part
        patient.send(request('POST /echo HTTP/1.1', 'Content-Length: 5'))
        for field, piece in fields:
            c = self.client(router)
            c.send(request('POST /echo HTTP/1.1', field) + piece)
            c.s.settimeout(0.1)
            slow.append((c, piece))
        end = time.monotonic() + 60
        while slow and time.monotonic() < end:
            for c, piece in list(slow):
                try:
                    self.assertTrue(c.more())
                    c.s.settimeout(rig.DEADLINE)
                    self.assertEqual(c.answer()[0], 408)
                    slow.remove((c, piece))
                except TimeoutError:
                    c.send(piece)
        self.assertEqual(slow, [])
        self.assertEqual(patient.send(b'whole').answer()[::2], (200, b'whole'))

    def test_no_descriptors(self):
        """Connections wait in the queue; nobody spins, and what is open goes on."""
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        router = rig.Static([(HOST, self.origin.port)], workers=1)
        router.argv = ['prlimit', '--nofile=64:64', '--', *router.argv]
        router.start()
        self.addCleanup(router.clear)
        # The limit of connections leaves descriptors for units: take those away from inside.
        fds = lambda: len(os.listdir('/proc/%d/fd' % router.p.pid))
        most = int(router.metric('deis_router_connections_max'))
        self.assertLess(most, 64 - fds())
        crowd = [self.client(router) for _ in range(80)]
        for c in crowd:
            c.send(b'GET / HTTP/1.1\r\n')
        rig.wait_for(lambda: router.metric('deis_router_connections') == most, 'as many as may be')
        before = cpu(router.p.pid)
        time.sleep(1)  # how much is used while nothing happens
        self.assertLess(cpu(router.p.pid) - before, 0.5)
        for c in crowd:
            c.close()
        rig.wait_for(lambda: router.metric('deis_router_connections') == 0, 'they are gone')
        self.assertEqual(self.answer(self.client(router))[0], 200)

    def test_room_made_for_one_request_changes_nothing_of_it(self):
        """Its unit's connection takes the descriptor of somebody who has stalled."""
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        router = rig.Static([(HOST, self.origin.port)], workers=1).start()
        self.addCleanup(router.clear)
        stalled = self.client(router)
        stalled.send(request('POST /stalled HTTP/1.1', 'Content-Length: 5', 'Cookie: secret=1'))
        rig.wait_for(lambda: self.origin.connections == 1, 'its request is under way')
        c = self.client(router)
        rig.wait_for(lambda: router.metric('deis_router_connections') == 2, 'both are known')
        time.sleep(5.5)  # the time that makes it lazy
        fds = lambda: {int(n) for n in os.listdir('/proc/%d/fd' % router.p.pid)}
        while len(fds()) <= max(fds()):  # gaps among them are filled, so that the limit is right behind the last
            before = len(fds())
            self.addCleanup(socket.create_connection(('127.0.0.1', router.metrics), rig.DEADLINE).close)
            rig.wait_for(lambda: len(fds()) > before, 'it is accepted')
        before = resource.prlimit(router.p.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(router.p.pid, resource.RLIMIT_NOFILE, (len(fds()), before[1]))
        c.send(request('GET /mine HTTP/1.1', 'Cookie: mine=1'))
        self.assertEqual((c.answer()[0], stalled.answer()[0]), (200, 408))
        resource.prlimit(router.p.pid, resource.RLIMIT_NOFILE, before)
        self.assertEqual(router.metric('deis_router_connections_shed_total'), 1)
        # The stalled one is noted when it breaks off: before or after the other.
        mine = [(line, dict(fields)['Cookie'], body) for line, fields, body in self.origin.requests if 'stalled' not in line]
        self.assertEqual(mine, [('GET /mine HTTP/1.1', 'mine=1', b'')])

    def test_memory_is_given_back_at_once(self):
        """Not only at the next tick: until then many more may come."""
        router = self.start(*NARROW)
        most = 0

        def come():
            c = socket.socket()
            self.addCleanup(c.close)
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.connect(('127.0.0.1', router.http))
            return c

        def held():
            nonlocal most
            most = max(most, router.metric('deis_router_buffer_bytes'))
            return most
        for i in range(0, 200, 20):
            for c in [come() for _ in range(20)]:
                c.sendall(request('GET %s HTTP/1.1' % MUCH))
            rig.wait_for(lambda: held() and len(self.origin.requests) >= i + 20, 'they are under way')
        rig.wait_for(lambda: held() and router.metric('deis_router_connections_shed_total') > 0, 'the laziest are let go')
        self.assertLess(most, 5 << 20)  # the limit, and 20 at once

    def beside_a_deaf_unit(self, *flags):
        """A router of one app that answers and of another, deaf.test, that reads nothing."""
        deaf = socket.create_server(('127.0.0.1', 0), backlog=256)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        router = rig.Static([(HOST, self.origin.port), ('deaf.test', deaf.getsockname()[1])], *flags, workers=1).start()
        self.addCleanup(router.clear)
        self.addCleanup(deaf.close)  # first, so that nothing is under way when the router stops
        return router

    def sender(self, router):
        """A client of deaf.test who sends whatever is taken."""
        c = self.client(router)
        c.s.setblocking(False)
        c.s.send(b'POST / HTTP/1.1\r\nHost: deaf.test\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n')
        return c

    def stuff(self, senders):
        for c in senders:
            try:
                c.s.send(bytes(65536))
            except OSError:
                pass

    def test_memory_of_those_whose_unit_does_not_read(self):
        router = self.beside_a_deaf_unit(*NARROW)
        senders = [self.sender(router) for _ in range(CROWD)]

        def fill():
            self.stuff(senders)
            return router.metric('deis_router_connections_shed_total') > 0
        rig.wait_for(fill, 'the laziest are let go')
        rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') <= 512 << 10, 'buffers are within their limit')
        self.assertEqual(self.answer(self.client(router))[0], 200)

    def test_memory_of_those_whose_unit_does_not_accept(self):
        """Who lets a client go says nothing of its unit, which has time to accept still."""
        full = socket.create_server(('127.0.0.1', 0), backlog=0)
        self.addCleanup(full.close)
        queued = socket.create_connection(full.getsockname())
        self.addCleanup(queued.close)
        router = rig.Static([(HOST, full.getsockname()[1])], *NARROW, workers=1).start()
        self.addCleanup(router.clear)
        for _ in range(8):
            self.client(router).send(request('POST / HTTP/1.1', 'Content-Length: 1', *['x-%d: %s' % (i, 'a' * 1000) for i in range(20)]))
        rig.wait_for(lambda: router.metric('deis_router_connections_shed_total') > 0, 'the laziest are let go')
        self.assertIn('code=H22', router.lines('status=503')[0])

    def shed_beside_beginners(self, router, hold_one, before_the_last=lambda: None):
        """Memory is filled until some are let go: none of those whose heads have just begun to come.

        hold_one(): somebody comes who will hold bytes for good."""
        def filled(at_least):
            while router.metric('deis_router_buffer_bytes') < at_least and not router.metric('deis_router_connections_shed_total'):
                hold_one()
                self.assertEqual(self.answer(self.client(router))[0], 200)  # by now the worker has seen it
        limit = int(router.metric('deis_router_buffer_bytes_max'))
        filled(limit // 4 * 3)
        beginners = [self.client(router) for _ in range(8)]
        for c in beginners:
            c.send(b'GET / HTTP/1.1\r\n')
        rig.wait_for(lambda: not any(unread(router, c) for c in beginners), 'the router has read that')
        before_the_last()
        filled(limit * 2)
        for c in beginners:
            c.send(b'Host: %s\r\n\r\n' % HOST.encode())
            self.assertEqual(c.answer()[0], 200)

    def test_memory_is_not_taken_from_those_who_have_just_begun(self):
        router = self.beside_a_deaf_unit(*ROOM)
        senders = []

        def hold_one():
            senders.append(self.sender(router))
            self.stuff(senders)
        self.shed_beside_beginners(router, hold_one)

    def test_memory_is_taken_from_those_who_wait_with_long_heads(self):
        """Behind a thousand others who wait for an answer, too, and hold next to nothing."""
        silent = socket.create_server(('127.0.0.1', 0), backlog=4096)
        self.addCleanup(silent.close)
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        router = rig.Static([(HOST, self.origin.port), ('silent.test', silent.getsockname()[1])],
                            '--h2c', '--buffer-memory', '16m', workers=1).start()
        self.addCleanup(router.clear)
        for _ in range(11):
            c = h2.plain(router.http, 'silent.test')
            self.addCleanup(c.close)
            for _ in range(100):
                c.open()
            c.ping()
        long = request('GET / HTTP/1.1', *['x-%d: %s' % (i, 'a' * 1000) for i in range(20)]).replace(HOST.encode(), b'silent.test')
        self.shed_beside_beginners(router, lambda: self.client(router).send(long))

    def test_memory_is_taken_from_those_whose_units_begin_to_answer(self):
        class Beginner(rig.Origin):
            def answer_begin(self, c, f, method, path, fields, body):
                c.sendall(b'HTTP/1.1 200 OK\r\nX-A: ' + b'a' * 17000)
                self.gate.wait()
                return False
        self.origin = Beginner()
        router = rig.Static([(HOST, self.origin.port)], *ROOM, workers=1).start()
        self.addCleanup(router.clear)
        self.addCleanup(self.origin.close)
        self.addCleanup(self.origin.gate.set)
        self.shed_beside_beginners(router, lambda: self.client(router).send(request('GET /begin HTTP/1.1')))

    def test_memory_of_upgraded_connections(self):
        """Of which one end does not read: the client here, or the unit."""
        self.origin = Chatter()
        self.origin.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.origin.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        router = rig.Static([(HOST, self.origin.port)], *NARROW, workers=1).start()
        self.addCleanup(router.clear)
        self.addCleanup(self.origin.close)  # first, so that nothing is under way when the router stops
        self.addCleanup(self.origin.gate.set)
        for path in ('/talks', '/listens-not'):
            before = router.metric('deis_router_connections_shed_total')
            clients = [self.client(router) for _ in range(CROWD)]
            for c in clients:
                c.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                c.send(request('GET %s HTTP/1.1' % path, 'Connection: Upgrade', 'Upgrade: x'))
                self.assertIn(b' 101 ', c.until(b'\r\n\r\n'))
                c.s.setblocking(False)

            def fill():
                for c in clients:
                    try:
                        c.s.send(bytes(65536))
                    except OSError:
                        pass
                return router.metric('deis_router_connections_shed_total') > before
            rig.wait_for(fill, 'the laziest are let go')
            rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') <= 512 << 10, 'buffers are within their limit')
            for c in clients:
                c.close()
        self.assertEqual(self.answer(self.client(router))[0], 200)

    def test_memory_is_taken_from_those_who_only_talk(self):
        """A byte now and then from an upgraded connection makes good for nothing that it does not read."""
        self.origin = Chatter()
        router = rig.Static([(HOST, self.origin.port)], *ROOM, workers=1).start()
        self.addCleanup(router.clear)
        self.addCleanup(self.origin.close)  # first, so that nothing is under way when the router stops
        talkers = []

        def hold_one():
            c = self.client(router)
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send(request('GET /talks HTTP/1.1', 'Connection: Upgrade', 'Upgrade: x'))
            self.assertIn(b' 101 ', c.until(b'\r\n\r\n'))
            talkers.append(c)

        def talk():
            """For longer than a beginner's bytes weigh less than a talker's since it last said something."""
            began = time.monotonic()
            for i in range(40):
                for c in talkers:
                    try:
                        c.send(b'.')
                    except OSError:
                        pass  # it was let go already
                rig.wait_for(lambda: time.monotonic() > began + i * 0.05, 'a pause')
        self.shed_beside_beginners(router, hold_one, talk)

    def test_memory_of_those_who_do_not_read(self):
        router = self.start(*NARROW)
        lazy = [self.client(router) for _ in range(CROWD)]
        for c in lazy:
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send(request('POST %s HTTP/1.1' % MUCH, 'Content-Length: 0'))
        rig.wait_for(lambda: router.metric('deis_router_connections_shed_total') > 0, 'the laziest are let go')
        rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') <= 512 << 10, 'buffers are within their limit')
        status, fields, body = self.answer(self.client(router), 'GET /stream/8000000 HTTP/1.1')
        self.assertEqual((status, len(body)), (200, 8000000))


def cpu(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Metrics(Edge):
    SAMPLE = re.compile(r'([a-z0-9_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? ([0-9.]+|\+Inf)$')

    def scrape(self):
        """{name: {labels: value}}, after a check of the format (Prometheus' text format 0.0.4)."""
        kinds, families, current = {}, {}, None
        for line in self.router.admin('/metrics').splitlines():
            if line.startswith('# HELP '):
                current = line.split(' ')[2]
                self.assertNotIn(current, kinds, 'a family comes in one piece')
                self.assertGreater(len(line.split(' ', 3)[3]), 5)
                kinds[current] = None
                continue
            if line.startswith('# TYPE '):
                _, _, name, kind = line.split(' ')
                self.assertEqual(name, current)
                self.assertIn(kind, ('counter', 'gauge', 'histogram'))
                kinds[name] = kind
                continue
            m = self.SAMPLE.match(line)
            self.assertIsNotNone(m, line)
            name, labels, value = m.groups()
            base = re.sub('_(bucket|sum|count)$', '', name) if kinds.get(current) == 'histogram' else name
            self.assertEqual(base, current)
            self.assertNotIn(labels, families.setdefault(name, {}), 'no sample twice')
            families[name][labels] = float(value)
        return kinds, families

    def test_names_types_and_values(self):
        for _ in range(5):
            rig.get(self.router.http, HOST)
        rig.get(self.router.http, HOST, '/status/404')
        rig.get(self.router.http, HOST, '/slow/0.3')
        rig.get(self.router.http, HOST, '/echo', 'Content-Length: 1000\r\n', 'POST', b'a' * 1000)
        app = 'app="%s"' % HOST
        rig.wait_for(lambda: self.router.metric('deis_router_app_in_flight{%s}' % app) == 0, 'all are over')
        kinds, families = self.scrape()
        self.assertEqual({k: v for k, v in families['deis_router_app_requests_total'].items() if app in k},
                         {app + ',class="2xx"': 7, app + ',class="4xx"': 1})
        buckets = [v for k, v in families['deis_router_app_request_seconds_bucket'].items() if app in k]
        self.assertEqual((len(buckets), buckets, buckets[-1]), (19, sorted(buckets), 8))
        short = families['deis_router_app_request_seconds_bucket'][app + ',le="0.256000"']
        self.assertTrue(1 <= short <= 7, short)  # one takes longer, whatever else the machine has to do
        self.assertEqual(families['deis_router_app_request_seconds_bucket'][app + ',le="65.536000"'], 8)
        self.assertEqual(families['deis_router_app_request_seconds_count'][app], 8)
        self.assertGreater(families['deis_router_app_request_seconds_sum'][app], 0.3)
        self.assertEqual(families['deis_router_app_received_bytes_total'][app], 1000)
        self.assertGreaterEqual(families['deis_router_app_sent_bytes_total'][app], 1000)
        self.assertEqual(families['deis_router_app_endpoints'][app], 1)
        self.assertEqual(families['deis_router_app_in_flight'][app], 0)
        self.assertGreaterEqual(families['deis_router_requests_total'][None], 8)
        self.assertGreater(families['process_resident_memory_bytes'][None], 1 << 20)
        self.assertEqual(kinds['deis_router_app_request_seconds'], 'histogram')
        for name, kind in kinds.items():
            self.assertEqual(kind == 'counter', name.endswith('_total'), name)

    def test_all_are_documented(self):
        with open(os.path.join(os.path.dirname(__file__), '../../../docs/EDGE.md')) as f:
            text = f.read()
        self.assertEqual([n for n in self.scrape()[0] if '`%s`' % n not in text], [])

    def test_failures_are_counted(self):
        gone = rig.free_port()
        self.router.set('gone.test', gone)
        self.assertEqual(rig.get(self.router.http, 'gone.test')[0], 502)
        self.assertGreater(self.scrape()[1]['deis_router_ejections_total'][None], 0)
        c = self.client()
        c.send(b'nonsense\r\n\r\n')
        c.answer()
        rig.wait_for(lambda: self.scrape()[1]['deis_router_bad_requests_total'][None] == 1, 'it is counted')


class Codes(Edge):
    def test_all_are_documented(self):
        """Each code with each of its statuses."""
        root = os.path.join(os.path.dirname(__file__), '../../..')
        with open(os.path.join(root, 'router/core/pages.c')) as f:
            codes = {(code, status) for status, code in re.findall(r'= \{\s*(\d{3}), "([A-Z]\d\d)"', f.read())}
        self.assertGreater(len(codes), 15)
        with open(os.path.join(root, 'docs/EDGE.md')) as f:
            rows = dict(re.findall(r'^\| `([A-Z]\d\d)` \| ([^|]*) \|', f.read(), re.M))
        self.assertEqual([c for c in sorted(codes) if c[1] not in re.findall(r'\d{3}', rows.get(c[0], ''))], [])
        self.assertEqual(set(rows) - {code for code, _ in codes}, set())

    def test_pages_and_lines_agree(self):
        self.router.set('down.test', rig.free_port())
        table = (('down.test', 'GET / HTTP/1.1', 502, 'H21'), (HOST, 'TRACE / HTTP/1.1', 405, 'H26'),
                 (HOST, 'GET /garbage HTTP/1.1', 502, 'H17'), (HOST, 'GET /drop HTTP/1.1', 502, 'H13'))
        for host, line, status, code in table:
            for accept in ('text/html', 'application/json'):
                with self.subTest(code=code, accept=accept):
                    rid = '%s-%s' % (code, accept.replace('/', '.'))
                    c = self.client()
                    c.send(('%s\r\nHost: %s\r\nAccept: %s\r\nX-Request-Id: %s\r\n\r\n' % (line, host, accept, rid)).encode())
                    got, fields, body = c.answer()
                    self.assertEqual((got, fields['content-type'].split(';')[0]), (status, accept))
                    if accept == 'application/json':
                        told = json.loads(body)
                        self.assertEqual((told['status'], told['code'], told['request_id']), (status, code, rid))
                    else:
                        self.assertIn(('%s &middot; %s' % (code, rid)).encode(), body)
                    logged = self.router.lines(rid)[0]
                    self.assertIn(' at=error code=%s desc="' % code, logged)
                    self.assertIn(' status=%d ' % status, logged)


class Routes(unittest.TestCase):
    """deisctl router:routes"""

    def setUp(self):
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        self.gone = rig.free_port()
        self.router = rig.Static([('b.test', self.origin.port), ('a.test', self.origin.port), ('a.test', self.gone)]).start()
        self.addCleanup(self.router.clear)

    def deisctl(self, *args, router=None):
        p = subprocess.run([os.path.join(rig.BIN, 'deisctl'), 'router:routes', '--router', '127.0.0.1:%d' % (router or self.router.metrics), *args],
                           capture_output=True, text=True, timeout=rig.DEADLINE)
        return p.returncode, p.stdout, p.stderr

    def test_hosts_apps_and_units(self):
        stop = threading.Event()

        def ask():
            while not stop.is_set():
                rig.get(self.router.http, 'a.test')
        asking = threading.Thread(target=ask)  # so that it is tried again as soon as its time aside is over
        asking.start()
        self.addCleanup(asking.join)
        self.addCleanup(stop.set)

        def told():
            status, text, errors = self.deisctl()
            self.assertEqual((status, errors), (0, ''))
            lines = [l.split() for l in text.splitlines()]
            self.assertEqual(lines[0], ['HOST', 'APP', 'UNIT', 'ADDRESS', 'STATE', 'BUSY'])
            self.assertEqual([l[0] for l in lines[1:]], ['a.test', 'a.test', 'b.test'])
            return {l[3]: l[4] for l in lines[1:3]}
        states = {self.origin.address: 'up', '127.0.0.1:%d' % self.gone: 'aside'}
        rig.wait_for(lambda: told() == states, 'one is put aside')

    def test_as_json_and_one_of_them(self):
        status, text, errors = self.deisctl('--json', 'b.test')
        routes = json.loads(text)
        self.assertEqual([(r['host'], r['wanted'], [u['address'] for u in r['units']]) for r in routes], [('b.test', 1, [self.origin.address])])
        status, text, errors = self.deisctl('c.test')
        self.assertEqual((status, text), (1, ''))
        self.assertIn("no host and no app 'c.test'", errors)

    def test_what_is_no_router(self):
        status, text, errors = self.deisctl(router=self.gone)
        self.assertEqual(status, 1)
        self.assertIn("no router answers at '127.0.0.1:%d'" % self.gone, errors)
        status, text, errors = self.deisctl(router=self.origin.port)  # answers 200 with something else
        self.assertEqual(status, 1)
        self.assertIn("the answer is not a router's", errors)


class Settings(unittest.TestCase):
    def test_bad_ranges_are_named(self):
        r = rig.Static([(HOST, 1)], '--proxy-real-ip-cidr', '127.0.0.0/8,nowhere')
        with self.assertRaisesRegex(AssertionError, 'router ended'):
            r.start()
        self.assertIn("'nowhere' is no address", r.log())
        r.p = None
        r.clear()


if __name__ == '__main__':
    unittest.main(verbosity=2)
