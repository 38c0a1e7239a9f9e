# SPDX-License-Identifier: MIT
"""The router's edge: behind load balancers (PROXY protocol, X-Forwarded-*), and against those who want too much."""
import os
import socket
import ssl
import struct
import subprocess
import time
import unittest

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
        before = self.router.metric('deis_router_proxy_headers_failed_total')
        bad = (request(), b'PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n' + request(), b'PROXY TCP4 1 2 3 4\r\n' + request(),
               b'PROXY ' + b'a' * 200, SIGNATURE + b'\x11\x11\0\x0c' + bytes(12), SIGNATURE + b'\x21\x11\xff\xff')
        for raw in bad:
            with self.subTest(raw):
                seen = len(self.origin.requests)
                c = self.client(BALANCER)
                c.send(raw)
                self.assertTrue(c.closed())
                self.assertEqual(len(self.origin.requests), seen)
        self.assertEqual(self.router.metric('deis_router_proxy_headers_failed_total'), before + len(bad))
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
