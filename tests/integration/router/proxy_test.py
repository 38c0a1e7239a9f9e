# SPDX-License-Identifier: MIT
"""The router between raw clients and origins that misbehave, without etcd."""
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import rig

HOST = 'app.test'


def request(line='GET / HTTP/1.1', *fields):
    return '\r\n'.join([line, 'Host: ' + HOST, *fields, '', '']).encode()


def tcp_info(s):
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)  # struct tcp_info of linux/tcp.h
    return {'unacked': struct.unpack_from('I', info, 24)[0], 'segments_in': struct.unpack_from('I', info, 140)[0]}


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = rig.Origin()
        cls.router = rig.Static([(HOST, cls.origin.port)], '--body-size', '1m').start()

    @classmethod
    def tearDownClass(cls):
        cls.router.clear()
        cls.origin.close()

    def client(self):
        c = rig.Client(self.router.http)
        self.addCleanup(c.close)
        return c

    def get(self, path='/', **kw):
        return rig.get(self.router.http, HOST, path, **kw)

    def last(self):
        return self.origin.requests[-1]


class Requests(Proxy):
    def test_head_is_written_anew(self):
        c = self.client()
        c.send(b'GET http://app.test/a?b=c HTTP/1.1\r\nHost: app.test\r\nAccept: x\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\n'
               b'Keep-Alive: 3\r\nTE: trailers\r\nProxy-Connection: close\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n'
               b'x-forwarded-proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nProxy: http://evil\r\n'
               b'X-Request-Id: mine-1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nCookie: a=b\r\n\r\n')
        self.assertEqual(c.answer()[0], 200)
        line, fields, body = self.last()
        self.assertEqual(line, 'GET /a?b=c HTTP/1.1')
        self.assertEqual(fields, [('Host', 'app.test'), ('Accept', 'x'), ('HTTP2-Settings', 'AAA'), ('Cookie', 'a=b'),
                                  ('X-Forwarded-For', '127.0.0.1'), ('X-Forwarded-Proto', 'http'),
                                  ('X-Forwarded-Port', str(self.router.http)), ('X-Request-Id', 'mine-1'), fields[-1]])
        self.assertRegex(': '.join(fields[-1]), '^X-Request-Start: [0-9]{13}$')

    def test_request_id_is_made_when_missing_or_odd(self):
        for field in ('X-A: 1', 'X-Request-Id: a b', 'X-Request-Id: ' + 'a' * 129):
            self.get(extra=field + '\r\n')
            rid = dict(self.last()[1])['X-Request-Id']
            self.assertRegex(rid, '^[0-9a-f]{32}$')
            self.assertIn('request_id=' + rid, self.router.lines(rid)[0])

    def test_host_is_matched_without_case_port_and_dot(self):
        for host in ('app.test', 'APP.Test', 'app.test:8080', 'app.test.', 'app.test.:80'):
            self.assertEqual(rig.get(self.router.http, host)[0], 200, host)
        for host in ('app.test.evil', 'xapp.test', 'test', 'app', '127.0.0.1'):
            self.assertEqual(rig.get(self.router.http, host)[0], 404, host)

    def test_verdicts(self):
        table = [
            ('bare LF', b'GET / HTTP/1.1\nHost: app.test\n\n', 400),
            ('obs-fold', request('GET / HTTP/1.1', 'A: b', ' c'), 400),
            ('NUL', request('GET / HTTP/1.1', 'A: b\0'), 400),
            ('blank before the colon', request('GET / HTTP/1.1', 'A : b'), 400),
            ('no Host', b'GET / HTTP/1.1\r\n\r\n', 400),
            ('two Hosts', request('GET / HTTP/1.1', 'Host: app.test'), 400),
            ('odd Host', b'GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n', 400),
            ('length and coding', request('POST / HTTP/1.1', 'Content-Length: 3', 'Transfer-Encoding: chunked') + b'abc', 400),
            ('two lengths', request('POST / HTTP/1.1', 'Content-Length: 3', 'Content-Length: 3') + b'abc', 400),
            ('signed length', request('POST / HTTP/1.1', 'Content-Length: +3') + b'abc', 400),
            ('list of lengths', request('POST / HTTP/1.1', 'Content-Length: 3, 3') + b'abc', 400),
            ('hidden coding', request('POST / HTTP/1.1', 'Transfer-Encoding: xchunked') + b'0\r\n\r\n', 400),
            ('coding twice', request('POST / HTTP/1.1', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 400),
            ('coding in 1.0', request('POST / HTTP/1.0', 'Transfer-Encoding: chunked') + b'0\r\n\r\n', 400),
            ('bad chunk size', request('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + b'g\r\n', 400),
            ('chunk size with sign', request('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + b'-1\r\n', 400),
            ('chunk with bare LF', request('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + b'1\na\r\n', 400),
            ('chunk longer than said', request('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + b'1\r\nab\r\n', 400),
            ('CONNECT', b'CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n', 501),
            ('TRACE', request('TRACE / HTTP/1.1'), 405),
            ('HTTP/2 preface', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
            ('TLS', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400),
            ('long target', request('GET /' + 'a' * 9000 + ' HTTP/1.1'), 414),
            ('endless target', b'GET /' + b'a' * 40000, 414),
            ('large head', request('GET / HTTP/1.1', 'A: ' + 'b' * 33000), 431),
            ('many fields', request('GET / HTTP/1.1', *['A: b'] * 100), 431),
            ('large body', request('POST / HTTP/1.1', 'Content-Length: 1048577'), 413),
            ('large chunk', request('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + b'100001\r\n' + b'a' * 1048577, 413),
            ('unknown host', b'GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n', 404),
        ]
        for name, raw, status in table:
            with self.subTest(name):
                seen = len(self.origin.requests)
                c = self.client()
                threading.Thread(target=self.send_quietly, args=(c, raw), daemon=True).start()
                self.assertEqual(c.answer()[0], status)
                if status not in (404, 405):
                    self.assertTrue(c.closed())
                self.assertEqual([r for r in self.origin.requests[seen:] if r[2]], [])

    @staticmethod
    def send_quietly(c, raw):
        try:
            c.send(raw)
        except OSError:
            pass

    def test_head_byte_by_byte(self):
        c = self.client()
        for b in request():
            c.send(bytes([b]))
        self.assertEqual(c.answer()[0], 200)

    def test_pipelined_requests_are_answered_in_order(self):
        c = self.client()
        n = 60
        c.send(b''.join(request('POST /echo/%d HTTP/1.1' % i, 'Content-Length: %d' % len(str(i))) + str(i).encode() for i in range(n)))
        self.assertEqual([c.answer()[2] for i in range(n)], [str(i).encode() for i in range(n)])

    def test_many_pipelined_requests_for_nobody(self):
        c = self.client()
        n = 2000
        threading.Thread(target=c.send, args=(b'GET / HTTP/1.1\r\nHost: n.test\r\nAccept: application/json\r\n\r\n' * n,), daemon=True).start()
        for i in range(n):
            self.assertEqual(c.answer()[0], 404)

    def test_pipelined_behind_a_chunked_body(self):
        c = self.client()
        body = os.urandom(200000)
        c.send(request('POST /echo HTTP/1.1', 'Transfer-Encoding: chunked'))
        threading.Thread(target=c.send, args=(b''.join(b'%x\r\n' % len(body[i:i + 7000]) + body[i:i + 7000] + b'\r\n' for i in range(0, len(body), 7000)) +
                                              b'0\r\n\r\n' + request('GET /next HTTP/1.1'),), daemon=True).start()
        self.assertEqual(c.answer()[2], body)
        self.assertEqual(c.answer()[2], b'origin')
        self.assertEqual(self.last()[0], 'GET /next HTTP/1.1')

    def test_bodies_both_ways(self):
        body = os.urandom(900000)
        for path in ('/echo', '/echo-chunked'):
            for coding in (False, True):
                with self.subTest(path=path, coding=coding):
                    c = self.client()
                    field = 'Transfer-Encoding: chunked' if coding else 'Content-Length: %d' % len(body)
                    data = b'%x;x=y\r\n' % len(body) + body + b'\r\n0\r\nA: b\r\n\r\n' if coding else body
                    threading.Thread(target=c.send, args=(request('POST %s HTTP/1.1' % path, field) + data,), daemon=True).start()
                    status, fields, got = c.answer()
                    self.assertEqual((status, got), (200, body))
                    self.assertEqual('chunked' in path, 'transfer-encoding' in fields)
                    self.assertEqual(self.last()[2], body)

    def test_slow_reader_gets_everything_and_is_not_buffered(self):
        c = self.client()
        size = 30 * 1000 * 1000
        c.send(request('GET /big/%d HTTP/1.1' % size))
        c.until(b'\r\n\r\n')
        time.sleep(0.3)  # the router must stop reading on its own; nothing tells that it has
        with open('/proc/%d/statm' % self.router.p.pid) as f:
            before = int(f.read().split()[1]) * 4096
        got = len(c.buf)
        while got < size:
            n = len(c.s.recv(1 << 20))
            self.assertGreater(n, 0)
            got += n
        with open('/proc/%d/statm' % self.router.p.pid) as f:
            self.assertLess(abs(int(f.read().split()[1]) * 4096 - before), 4 << 20)
        self.assertEqual(got, size)

    def test_large_bodies_in_turn_over_one_connection(self):
        c = self.client()
        pattern = bytes(range(256)) * 256
        for size in (65535, 65536, 100000, 98304, 5000000, 1, 200000):
            c.send(request('GET /big/%d HTTP/1.1' % size))
            body = c.answer()[2]
            self.assertEqual(len(body), size)
            self.assertTrue(all(body[i:i + 65536] == pattern[:size - i] for i in range(0, size, 65536)))

    def test_client_leaves_a_large_answer(self):
        c = self.client()
        c.send(request('GET /big/50000000 HTTP/1.1', 'X-Request-Id: left-1'))
        c.take(200000)
        c.close()
        self.assertIn('code=H27', self.router.lines('left-1')[0])
        self.assertEqual(self.get()[0], 200)

    def test_http10(self):
        c = self.client()
        c.send(request('GET /echo-chunked HTTP/1.0'))
        status, fields, body = c.answer()
        self.assertNotIn('transfer-encoding', fields)
        self.assertEqual(fields['connection'], 'close')
        c = self.client()
        for _ in range(2):
            c.send(request('GET / HTTP/1.0', 'Connection: keep-alive'))
            status, fields, body = c.answer()
            self.assertEqual((status, fields['connection'], body), (200, 'keep-alive', b'origin'))

    def test_close_is_honoured(self):
        c = self.client()
        c.send(request('GET / HTTP/1.1', 'Connection: close'))
        self.assertEqual(c.answer()[1]['connection'], 'close')
        self.assertTrue(c.closed())

    def test_the_last_answer_brings_the_end_along(self):
        self.addCleanup(self.origin.gate.set)

        def segments():
            self.origin.gate.clear()
            c = self.client()
            c.send(request('GET /gate HTTP/1.1', 'Connection: close'))
            rig.wait_for(lambda: tcp_info(c.s)['unacked'] == 0, 'the request has arrived')
            before = tcp_info(c.s)['segments_in']
            self.origin.gate.set()
            self.assertEqual(c.answer()[2], b'origin')
            self.assertTrue(c.closed())
            return tcp_info(c.s)['segments_in'] - before
        # The kernel does not wait for the end for longer than 200 ms, in which the router may not get a turn.
        self.assertIn(1, (segments() for _ in range(10)))

    def test_the_last_answer_is_whole_though_the_client_sends_on(self):
        for path in ('/', '/big/300000'):
            c = self.client()
            c.send(request('GET %s HTTP/1.1' % path, 'Connection: close') + b'x' * 200000)
            status, fields, body = c.answer()
            self.assertEqual((status, len(body)), (200, int(fields['content-length'])))
            self.assertTrue(c.closed())

    def test_100_continue(self):
        c = self.client()
        c.send(request('POST /echo HTTP/1.1', 'Content-Length: 4', 'Expect: 100-continue'))
        self.assertEqual(c.answer()[0], 100)
        c.send(b'body')
        self.assertEqual(c.answer()[2], b'body')

    def test_refusal_instead_of_continue(self):
        c = self.client()
        c.send(request('POST /early HTTP/1.1', 'Content-Length: 4', 'Expect: 100-continue'))
        status, fields, body = c.answer()
        self.assertEqual((status, body, fields['connection']), (403, b'no', 'close'))

    def test_early_answer_to_a_large_upload(self):
        c = self.client()
        c.send(request('POST /early HTTP/1.1', 'Content-Length: 1000000') + b'a' * 1000)
        status, fields, body = c.answer()
        self.assertEqual((status, body, fields['connection']), (403, b'no', 'close'))

    def test_client_gone_closes_the_unit(self):
        before, seen = len(self.origin.open), len(self.origin.requests)
        self.origin.gate.clear()
        c = self.client()
        c.send(request('GET /gate HTTP/1.1', 'X-Request-Id: gone-1'))
        rig.wait_for(lambda: len(self.origin.requests) > seen, 'request arrives')
        c.close()
        line = self.router.lines('gone-1')[0]
        self.assertIn('code=H27', line)
        self.assertIn('status=499', line)
        self.origin.gate.set()
        rig.wait_for(lambda: len(self.origin.open) <= before, 'unit sees the end')

    def test_client_gone_after_its_last_request(self):
        for version, fields in (('1.1', 'Connection: close'), ('1.0', 'X-A: b')):
            self.origin.gate.clear()
            name = 'gone-' + version
            c = self.client()
            c.send(request('GET /gate HTTP/' + version, fields, 'X-Request-Id: ' + name))
            c.close()
            self.assertIn('code=H27', self.router.lines(name)[0])
            self.origin.gate.set()

    def test_health_check_of_load_balancers(self):
        self.assertEqual(rig.get(self.router.http, '10.0.0.1', '/health-check')[:1], (200,))
        self.assertEqual(rig.get(self.router.http, HOST, '/health-check')[2], b'origin')

    def test_pages(self):
        status, fields, body = rig.get(self.router.http, 'nobody.test')
        self.assertEqual((status, fields['content-type']), (404, 'text/html; charset=utf-8'))
        self.assertIn(b'No such app', body)
        self.assertIn(b'404 Not Found', body)
        status, fields, body = rig.get(self.router.http, 'nobody.test', extra='Accept: application/json\r\n')
        self.assertEqual(fields['content-type'], 'application/json')
        self.assertEqual(rig.get(self.router.http, 'nobody.test', method='HEAD')[2], b'')
        self.assertNotIn('server', fields)


class Answers(Proxy):
    def test_head_204_304(self):
        c = self.client()
        c.send(request('HEAD / HTTP/1.1'))
        status, fields, body = c.answer(head_only=True)
        self.assertEqual((status, fields['content-length']), (200, '6'))
        for path, status in (('/status/204', 204), ('/status/304', 304), ('/', 200)):
            c.send(request('GET %s HTTP/1.1' % path))
            self.assertEqual(c.answer()[0], status)

    def test_hop_by_hop_fields_stay_behind(self):
        fields = self.get('/hop')[1]
        self.assertEqual(fields, {'content-length': '2', 'x-open': '2'})

    def test_until_close(self):
        status, fields, body = self.get('/until-close')
        self.assertEqual((status, body, fields.get('transfer-encoding')), (200, b'all of it', 'chunked'))

    def test_interim_answers(self):
        c = self.client()
        c.send(request('GET /hints HTTP/1.1'))
        self.assertEqual(c.answer()[0], 103)
        self.assertEqual(c.answer()[2], b'after hints')

    def test_interim_answers_are_limited(self):
        for path, hints, status in rig.INTERIM_LIMITS:
            with self.subTest(path):
                rid = 'hints' + path.replace('/', '-')
                c = self.client()
                c.send(request('GET %s HTTP/1.1' % path, 'X-Request-Id: ' + rid))
                statuses = [c.answer()[0] for _ in range(hints + 1)]
                self.assertEqual(statuses, [103] * hints + [status])
                self.assertEqual('code=H17' in self.router.lines(rid)[0], status == 502)

    def test_answer_byte_by_byte(self):
        self.assertEqual(self.get('/split')[2], b'ok')

    def test_units_that_misbehave(self):
        table = [('/drop', 'POST', 502, 'H13'), ('/drop', 'GET', 502, 'H13'), ('/reset', 'POST', 502, 'H13'),
                 ('/garbage', 'GET', 502, 'H17'), ('/half-head', 'GET', 502, 'H13'), ('/huge-head', 'GET', 502, 'H17'),
                 ('/101', 'GET', 502, 'H17'), ('/two-lengths', 'GET', 502, 'H17')]
        for i, (path, method, status, code) in enumerate(table):
            with self.subTest(path=path, method=method):
                rid = 'bad-unit-%d' % i
                self.assertEqual(self.get(path, method=method, extra='X-Request-Id: %s\r\nContent-Length: 0\r\n' % rid)[0], status)
                self.assertIn('code=' + code, self.router.lines(rid)[0])
                self.assertEqual(self.get()[0], 200)

    def test_answers_that_break_off_are_seen_to_break_off(self):
        for path in ('/short', '/short-large', '/short-chunked', '/bad-chunk'):
            with self.subTest(path):
                with self.assertRaises((EOFError, ConnectionResetError)):
                    self.get(path, extra='X-Request-Id: cut%s\r\n' % path.replace('/', '-'))
                self.assertIn('code=H18', self.router.lines('cut' + path.replace('/', '-'))[0])
        c = self.client()
        c.send(request('GET /bad-chunk HTTP/1.0'))
        with self.assertRaises(ConnectionResetError):
            c.answer()

    def test_more_than_announced_never_reaches_the_next_client(self):
        for _ in range(5):
            self.assertEqual(self.get('/long')[2], b'four')
            self.assertEqual(self.get('/')[2], b'origin')

    def test_a_client_that_leaves_more_behind_than_is_read_ahead(self):
        """Its end is seen all the same, and the unit's connection given back."""
        self.origin.gate.clear()
        self.addCleanup(self.origin.gate.set)
        in_flight = lambda: self.router.metric('deis_router_app_in_flight{app="%s"}' % HOST)
        for abrupt in (False, True):
            c = self.client()
            c.send(request('GET /gate HTTP/1.1'))
            rig.wait_for(lambda: in_flight() == 1, 'it is at work')
            c.send(request() * 2000)
            if abrupt:
                c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            c.close()
            rig.wait_for(lambda: in_flight() == 0, 'nothing is in flight', 20)

    def test_upstream_connections_are_reused(self):
        before = self.origin.connections
        for _ in range(40):
            self.get()
        # One for each worker, and those that other tests left in a bad state.
        self.assertLessEqual(self.origin.connections - before, 3)

    def test_stale_connection_is_no_failure(self):
        for method in ('GET', 'POST'):
            for _ in range(4):
                self.get()
            with self.origin.lock:
                for s in list(self.origin.open):
                    try:
                        s.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass  # the router has reset it
            for _ in range(4):
                self.assertEqual(self.get(method=method, extra='Content-Length: 0\r\n')[0], 200)

    def test_websocket(self):
        c = self.client()
        c.send(request('GET /ws HTTP/1.1', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
                       'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'X-Request-Id: ws-1') + rig.ws_frame(b'at once', mask=b'abcd'))
        status, fields, body = c.answer()
        self.assertEqual((status, fields['upgrade'], fields['sec-websocket-accept']), (101, 'websocket', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='))
        self.assertEqual(rig.ws_read(c.take), (1, b'hello'))
        self.assertEqual(rig.ws_read(c.take), (1, b'at once'))
        for size in (0, 1, 125, 126, 65535, 65536, 3000000):
            data = os.urandom(size)
            threading.Thread(target=c.send, args=(rig.ws_frame(data, 2, b'wxyz'),), daemon=True).start()
            self.assertEqual(rig.ws_read(c.take), (2, data))
        self.assertEqual(self.router.metric('deis_router_tunnels'), 1)
        c.send(rig.ws_frame(b'', 8, b'mask'))
        self.assertEqual(rig.ws_read(c.take), (8, b''))
        self.assertTrue(c.closed())
        c.close()
        self.assertIn('status=101', self.router.lines('ws-1')[0])
        rig.wait_for(lambda: self.router.metric('deis_router_tunnels') == 0, 'tunnel ends')


class Balance(unittest.TestCase):
    def start(self, routes, *flags, **kw):
        router = rig.Static(routes, *flags, **kw).start()
        self.addCleanup(router.clear)
        return router

    def origin(self, tag='origin'):
        o = rig.Origin(tag)
        self.addCleanup(lambda: o.s.fileno() >= 0 and o.close())
        return o

    def test_all_units_get_their_share(self):
        origins = [self.origin(str(i)) for i in range(4)]
        router = self.start([(HOST, o.port) for o in origins])
        for _ in range(200):
            self.assertEqual(rig.get(router.http, HOST)[0], 200)
        for o in origins:
            self.assertGreater(len(o.requests), 20)

    def test_refused_is_retried_elsewhere_for_every_method(self):
        good, bad = self.origin(), rig.free_port()
        router = self.start([(HOST, good.port), (HOST, bad)])
        for i in range(40):
            self.assertEqual(rig.get(router.http, HOST, '/echo', 'Content-Length: 4\r\n', 'POST', b'body')[2], b'body')
        self.assertLess(router.metric('deis_router_retries_total'), 10)  # it was put aside

    def test_accept_then_close_is_retried_for_idempotent_only(self):
        bad = self.origin('bad')
        bad.answer_default = lambda c, *a: False
        good = self.origin('good')
        router = self.start([(HOST, good.port), (HOST, bad.port)], workers=1)
        for _ in range(20):
            self.assertEqual(rig.get(router.http, HOST, method='PUT', extra='Content-Length: 4\r\n', body=b'body')[0], 200)

    def test_connect_time_out_goes_elsewhere(self):
        # A listener whose queue is full lets SYNs go unanswered.
        full = socket.socket()
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for s in fillers:
            s.setblocking(False)
            s.connect_ex(full.getsockname())
        good = self.origin()
        router = self.start([(HOST, good.port), (HOST, full.getsockname()[1])])
        for _ in range(6):
            self.assertEqual(rig.get(router.http, HOST)[0], 200)
        self.assertLessEqual(router.metric('deis_router_retries_total'), 3)  # it was put aside
        for s in (full, *fillers):
            s.close()

    def test_a_unit_that_speaks_unasked_is_hung_up_on(self):
        o = self.origin()
        router = self.start([(HOST, o.port)])
        self.assertEqual(rig.get(router.http, HOST, '/late')[2], b'four')
        self.assertEqual(len(o.open), 1)
        o.gate.set()
        rig.wait_for(lambda: not o.open, 'the connection is closed')
        self.assertEqual(rig.get(router.http, HOST)[2], b'origin')

    def test_silent_unit_gives_504(self):
        slow = self.origin()
        router = self.start([(HOST, slow.port)], '--default-timeout', '1s')
        self.assertEqual(rig.get(router.http, HOST, '/gate', 'X-Request-Id: slow-1\r\n')[0], 504)
        self.assertIn('code=H12', router.lines('slow-1')[0])
        self.assertEqual(rig.get(router.http, HOST)[0], 200)

    def test_a_client_that_breaks_off_while_its_unit_does_not_read(self):
        deaf = socket.create_server(('127.0.0.1', 0))
        router = self.start([(HOST, deaf.getsockname()[1])])
        self.addCleanup(deaf.close)  # first, so that nothing is under way when the router stops
        for framing, start in (('Content-Length: 90000000', b''), ('Transfer-Encoding: chunked', b'4000000\r\n')):
            c = rig.Client(router.http)
            c.send(request('POST / HTTP/1.1', framing, 'X-Request-Id: ' + framing[:3]) + start)
            while select.select([], [c.s], [], 0.5)[1]:  # until nothing is taken any more
                c.s.send(bytes(65536))
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            c.close()
            self.assertIn('code=H27', router.lines('request_id=' + framing[:3])[0])
            rig.wait_for(lambda: router.metric('deis_router_app_in_flight{app="%s"}' % HOST) == 0, 'nothing is in flight')

    def test_changes_under_load_fail_no_request(self):
        origins = [self.origin(str(i)) for i in range(6)]
        router = self.start([(HOST, origins[0].port)])
        failures, done, stop = [], [0], threading.Event()
        lock = threading.Lock()

        def load(n):
            c = rig.Client(router.http)
            i = 0
            while not stop.is_set():
                i += 1
                post = i % 3 == 0
                c.send(request('POST /echo HTTP/1.1', 'Content-Length: 3') + b'abc' if post else request())
                status, fields, body = c.answer()
                with lock:
                    done[0] += 1
                    if status != 200:
                        failures.append((status, body))
                if fields.get('connection') == 'close':
                    c.close()
                    c = rig.Client(router.http)
            c.close()

        threads = [threading.Thread(target=load, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        i = 0
        while (done[0] < 3000 or i <= 20 or not all(o.requests for o in origins)) and not failures:
            i += 1
            self.assertEqual(router.set(HOST, origins[i % len(origins)].port), 'ok')
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])

    def test_control_refuses_nonsense(self):
        router = self.start([(HOST, 1)])
        for line in (b'set\n', b'set a.test\n', b'set a.test nowhere:80\n', b'set a/b 127.0.0.1:80\n', b'drop a.test\n'):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(rig.DEADLINE)
                s.connect(router.control)
                s.sendall(line)
                self.assertTrue(s.makefile().readline().startswith('error: '))

    def test_connection_limit(self):
        o = self.origin()
        router = self.start([(HOST, o.port)], '--worker-connections', '4', workers=1)
        busy = [rig.Client(router.http).send(request('GET /gate HTTP/1.1')) for _ in range(4)]
        rig.wait_for(lambda: len(o.requests) == 4, 'all arrive')
        self.assertEqual(rig.get(router.http, HOST)[0], 503)
        o.gate.set()
        for c in busy:
            self.assertEqual(c.answer()[0], 200)
        # Idle ones make room.
        self.assertEqual(rig.get(router.http, HOST)[0], 200)
        for c in busy:
            c.close()

    def test_slow_heads_are_cut_and_hurt_nobody(self):
        o = self.origin()
        router = self.start([(HOST, o.port)])
        slow = [rig.Client(router.http).send(b'GET / HTTP/1.1\r\nHost: app') for _ in range(200)]
        for _ in range(20):
            self.assertEqual(rig.get(router.http, HOST)[0], 200)
        for c in slow:
            c.close()
        rig.wait_for(lambda: router.metric('deis_router_connections') <= 1, 'connections end')

    def test_sigterm_finishes_what_is_under_way(self):
        o = self.origin()
        router = self.start([(HOST, o.port)])
        busy = [rig.Client(router.http).send(request('GET /gate HTTP/1.1')) for _ in range(10)]
        rig.wait_for(lambda: len(o.requests) == 10, 'all arrive')
        idle = rig.Client(router.http).send(request())
        idle.answer()
        answered = time.monotonic()
        router.p.send_signal(signal.SIGTERM)
        rig.wait_for(lambda: not rig.can_connect(router.http), 'router accepts no more')
        # A client that was busy a moment ago, a second for the router, may send once more.
        try:
            idle.send(request())
            status, fields, body = idle.answer()
            self.assertEqual((status, fields['connection']), (200, 'close'))
        except (EOFError, OSError):
            self.assertGreater(time.monotonic() - answered, 1)
        o.gate.set()
        for c in busy:
            status, fields, body = c.answer()
            self.assertEqual((status, fields['connection']), (200, 'close'))
            c.close()
        idle.close()
        self.assertEqual(router.stop(None), 0)

    def test_bad_flags_are_named_and_leave_nothing(self):
        for flags, fault in ((['--nonsense'], "unknown flag '--nonsense'"), (['--control', 'x'], '--control needs --routes'),
                             (['--workers', '257'], '--workers: must be auto, or a number up to 256'), (['--gzip-types', 'text'], '--gzip-types: must be')):
            p = subprocess.run([os.path.join(rig.BIN, 'deis-router'), *flags], capture_output=True, text=True)
            self.assertRegex(p.stderr, r'\Adeis-router: %s.*\n\Z' % fault)
            self.assertEqual(p.returncode, 2)

    def test_address_in_use_is_named(self):
        router = self.start([(HOST, 1)])
        other = rig.Static([(HOST, 1)])
        other.argv[other.argv.index('--http') + 1] = '127.0.0.1:%d' % router.http
        with self.assertRaisesRegex(AssertionError, "can't listen on '127.0.0.1:%d'.*in use" % router.http):
            other.start()
        self.assertEqual(other.p.poll(), 1)
        other.p = None
        other.clear()


if __name__ == '__main__':
    unittest.main(verbosity=2)
