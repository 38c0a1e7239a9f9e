# SPDX-License-Identifier: MIT
"""HTTP/2 at the router: requests and answers, flow control, what a client must not do, what it may not cost, drain."""
import contextlib
import random
import re
import resource
import secrets
import select
import signal
import socket
import struct
import subprocess
import time
import unittest

import h2_rig as h2
import handover_test
import rig
import tls_test

HOST = 'app.site.test'


class H2(unittest.TestCase):
    flags = ('--h2c',)
    unit = rig.Origin

    @classmethod
    def setUpClass(cls):
        cls.ca = tls_test.Authority()
        cls.https = rig.free_port()
        cls.pair = cls.ca.issue('*.site.test')
        cls.origin = cls.unit()
        cls.dead = rig.free_port()
        cls.router = rig.Static([(HOST, cls.origin.port), ('down.site.test', cls.dead)], '--https', '127.0.0.1:%d' % cls.https,
                                '--cert', cls.pair[0], '--key', cls.pair[1], '--cluster-key', '/nonexistent',
                                *cls.flags).start()

    @classmethod
    def tearDownClass(cls):
        cls.router.clear()
        cls.origin.close()
        cls.ca.clear()

    def tls(self, host=HOST, offer=('h2', 'http/1.1')):
        context = self.ca.context()
        context.set_alpn_protocols(list(offer))
        c = tls_test.Client(self.https, context, host)
        self.addCleanup(c.close)
        return c

    def client(self, host=HOST, plain=False, **kw):
        c = h2.plain(self.router.http, host, **kw) if plain else h2.Client(self.tls(host), host, **kw)
        self.addCleanup(c.close)
        return c

    def last(self):
        line, fields, body = self.origin.requests[-1]
        return line, [(n.lower(), v) for n, v in fields], body


class Room(unittest.TestCase):
    def test_a_retry_does_not_make_room_by_its_own_connection(self):
        origin = rig.Origin()
        router = rig.Static([(HOST, origin.port)], '--h2c', workers=1).start()
        self.addCleanup(router.clear)
        c = h2.plain(router.http, HOST)
        self.addCleanup(c.close)
        self.assertEqual(c.get().body, b'origin')  # so that there is a kept connection, which may fail
        held = c.open(path='/gate')
        c.ping()
        c.open(flags=0)  # a head that does not come to its end
        time.sleep(2.5)  # the time that makes it lazy
        before = resource.prlimit(router.p.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(router.p.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        self.addCleanup(resource.prlimit, router.p.pid, resource.RLIMIT_NOFILE, before)
        origin.close()
        self.assertEqual(c.head(held).status, 503)
        resource.prlimit(router.p.pid, resource.RLIMIT_NOFILE, before)
        self.assertTrue(router.is_well())

    def test_memory_of_heads_that_do_not_come_to_their_end(self):
        """What all hold together stays within bufferMemory: the laziest connections go."""
        origin = rig.Origin()
        self.addCleanup(origin.close)
        router = rig.Static([(HOST, origin.port)], '--h2c', '--buffer-memory', '1m', workers=1).start()
        self.addCleanup(router.clear)
        clients = [h2.plain(router.http, HOST) for _ in range(40)]
        for c in clients:
            self.addCleanup(c.close)
            fields = c.usual() + [('x-%d' % i, 'a' * 1000) for i in range(30)]
            block = c.block(fields)
            c.frame(h2.HEADERS, 0, 1, block[:16384]).frame(h2.CONTINUATION, 0, 1, block[16384:])
            if c is clients[0]:  # none is lazier
                rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') > 16384, 'the first head is being read')
        rig.wait_for(lambda: router.metric('deis_router_connections_shed_total') > 10, 'the laziest are let go')
        rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') <= 1 << 20, 'buffers are within their limit')
        self.assertEqual(clients[0].end(), h2.NO_ERROR)
        c = h2.plain(router.http, HOST)
        self.addCleanup(c.close)
        self.assertEqual(c.get().status, 200)


class Requests(H2):
    def test_alpn_chooses(self):
        self.assertEqual(self.tls().s.selected_alpn_protocol(), 'h2')
        self.assertEqual(self.tls(offer=['http/1.1', 'h2']).s.selected_alpn_protocol(), 'h2')
        self.assertEqual(self.tls(offer=['http/1.1']).s.selected_alpn_protocol(), 'http/1.1')

    def test_curl_speaks_it(self):
        out = subprocess.run(['curl', '-s', '--http2', '--cacert', self.ca.file, '--resolve', '%s:%d:127.0.0.1' % (HOST, self.https), '-w',
                              ' %{http_version} %{http_code}', 'https://%s:%d/a?b=c' % (HOST, self.https)], capture_output=True, check=True)
        self.assertEqual(out.stdout, b'origin 2 200')
        self.assertEqual(self.last()[0], 'GET /a?b=c HTTP/1.1')

    def test_the_app_sees_plain_http(self):
        c = self.client()
        a = c.answer(c.open(c.usual(path='/a') + [('te', 'trailers'), ('cookie', 'a=1'), ('x-forwarded-for', '6.6.6.6'), ('accept', 'x'),
                                                  ('cookie', 'b=2'), ('forwarded', 'for=6.6.6.6'), ('x-request-id', 'mine-2')]))
        self.assertEqual((a.status, a.body), (200, b'origin'))
        self.assertEqual(self.last()[0], 'GET /a HTTP/1.1')
        self.assertEqual(self.last()[1][:-1], [('host', HOST), ('cookie', 'a=1; b=2'), ('accept', 'x'), ('x-forwarded-for', '127.0.0.1'),
                                               ('x-forwarded-proto', 'https'), ('x-forwarded-port', str(self.https)),
                                               ('x-request-id', 'mine-2')])
        self.assertEqual(self.last()[1][-1][0], 'x-request-start')
        line = self.router.lines('mine-2')[0]
        self.assertIn('path="/a" host=%s' % HOST, line)
        self.assertIn('status=200 bytes=6 protocol=https', line)

    def test_answers_lose_what_is_http1(self):
        a = self.client().get('/hop')
        self.assertEqual(a.fields, {':status': '200', 'content-length': '2', 'x-open': '2'})
        self.assertEqual(self.client().get('/echo-chunked').fields, {':status': '200'})

    def test_bodies(self):
        c = self.client()
        for size in (1, 5, 16384, 70000, 3 << 20):
            body = secrets.token_bytes(size)
            for path in ('/echo', '/echo-chunked'):
                for known in (True, False):
                    more = {'content_length': str(size)} if known else {}
                    sid = c.open(end=False, method='POST', path=path, **more)
                    c.upload(sid, body)
                    a = c.answer(sid)
                    self.assertEqual((a.status, len(a.body), a.body == body), (200, size, True))
                    got = dict(self.last()[1])
                    self.assertTrue('content-length' in got or got['transfer-encoding'] == 'chunked')
        self.assertEqual(c.get('/until-close').body, b'all of it')

    def test_a_body_of_no_length(self):
        c = self.client()
        sid = c.open(end=False, method='POST', path='/echo')
        c.ping()
        c.data(sid, b'', end=True)
        self.assertEqual(c.answer(sid).status, 200)
        sid = c.open(end=False, method='POST', path='/echo', content_length='0')
        c.data(sid, b'', end=True)
        self.assertEqual(c.answer(sid).status, 200)

    def test_a_body_that_comes_with_its_head_has_a_length(self):
        c = self.client()
        block = c.block(c.usual('POST', '/echo'))
        c.answers[1] = h2.Answer()
        head = struct.pack('!I', len(block))[1:] + bytes([h2.HEADERS, h2.END_HEADERS]) + struct.pack('!I', 1)
        c.raw(head + block + struct.pack('!I', 4)[1:] + bytes([h2.DATA, h2.END_STREAM]) + struct.pack('!I', 1) + b'body')
        self.assertEqual(c.answer(1).body, b'body')
        self.assertEqual(dict(self.last()[1])['content-length'], '4')

    def test_padding_is_dropped(self):
        c = self.client()
        sid = c.open(end=False, method='POST', path='/echo')
        c.frame(h2.DATA, h2.PADDED | h2.END_STREAM, sid, bytes([9]) + b'padded' + bytes(9))
        self.assertEqual(c.answer(sid).body, b'padded')

    def test_kinds_of_answers(self):
        c = self.client()
        for path, method, status, body in (('/', 'HEAD', 200, b''), ('/status/204', 'GET', 204, b''), ('/status/304', 'GET', 304, b''),
                                           ('/status/418', 'GET', 418, b'x'), ('/split', 'GET', 200, b'ok')):
            a = c.get(path, method=method)
            self.assertEqual((a.status, a.body), (status, body))
        self.assertEqual(c.get('/', method='HEAD').fields['content-length'], '6')

    def test_interim_answers(self):
        c = self.client()
        a = c.get('/hints')
        self.assertEqual([dict(h)[':status'] for h in a.heads], ['103', '200'])
        self.assertEqual(dict(a.heads[0])['link'], '</a.css>')
        sid = c.open(end=False, method='POST', path='/echo', expect='100-continue', content_length='2')
        a = c.answers[sid]
        while not a.heads:
            c.step()
        self.assertEqual(dict(a.heads[0])[':status'], '100')
        c.data(sid, b'ok', end=True)
        self.assertEqual(c.answer(sid).body, b'ok')

    def test_interim_answers_are_limited(self):
        c = self.client()
        for path, hints, status in rig.INTERIM_LIMITS:
            with self.subTest(path):
                a = c.get(path)
                self.assertEqual([dict(h)[':status'] for h in a.heads], ['103'] * hints + [str(status)])

    def test_a_refused_head_has_no_body(self):
        c = self.client()
        a = c.get('/' + 'a' * 9000, method='HEAD')
        self.assertEqual((a.status, a.body, int(a.fields['content-length']) > 0), (414, b'', True))

    def test_trailers_of_a_request_end_it(self):
        c = self.client()
        sid = c.open(end=False, method='POST', path='/echo')
        c.data(sid, b'abc')
        c.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, sid, c.block([('x-sum', '1')]))
        self.assertEqual(c.answer(sid).body, b'abc')

    def test_a_hundred_side_by_side(self):
        c = self.client()
        self.origin.gate.clear()
        ids = [c.open(path='/gate') for i in range(99)]
        self.assertEqual(c.get('/').status, 200)
        self.origin.gate.set()
        self.assertEqual([c.answer(i).status for i in ids], [200] * 99)
        bodies = [secrets.token_bytes(20000) for i in range(20)]
        ids = [c.open(end=False, method='POST', path='/echo') for b in bodies]
        for sid, body in zip(ids, bodies):
            c.upload(sid, body)
        self.assertEqual([c.answer(i).body for i in ids], bodies)

    def test_one_too_many_is_refused(self):
        c = self.client()
        self.assertEqual(c.get().status, 200)
        self.assertEqual(c.settings[3], 100)
        self.origin.gate.clear()
        ids = [c.open(path='/gate') for i in range(101)]
        self.assertEqual(c.end(), h2.PROTOCOL_ERROR)  # it was told before
        self.origin.gate.set()

    def test_pages(self):
        a = self.client('nobody.site.test').get('/x', accept='application/json')
        self.assertEqual((a.status, a.fields['content-type']), (404, 'application/json'))
        self.assertIn(b'No such app', a.body)
        a = self.client('nobody.site.test').get('/x', method='HEAD')
        self.assertEqual((a.status, a.body), (404, b''))
        a = self.client('down.site.test').get()
        self.assertEqual((a.status, b'H21' in a.body), (502, True))
        a = self.client('nobody.site.test').get('/health-check')
        self.assertEqual((a.status, a.body), (200, b''))
        c = self.client()
        self.assertEqual(c.get(method='TRACE').status, 405)
        a = c.get(method='POST', content_length=str(101 << 20), end=False)
        self.assertEqual(a.status, 413)
        c.ping()
        self.assertEqual(a.reset, h2.NO_ERROR)  # no more of the body is wanted
        self.assertEqual(c.get().status, 200)

    def test_early_answer(self):
        c = self.client()
        sid = c.open(end=False, method='POST', path='/early')
        c.data(sid, b'some')
        a = c.answer(sid)
        self.assertEqual((a.status, a.body), (403, b'no'))
        c.ping()
        self.assertEqual(a.reset, h2.NO_ERROR)

    def test_units_that_break_off(self):
        c = self.client()
        for path in ('/short', '/short-chunked', '/bad-chunk', '/short-large'):
            with self.assertRaises(h2.Reset, msg=path) as e:
                c.get(path)
            self.assertEqual(e.exception.code, h2.INTERNAL_ERROR)
        for path in ('/drop', '/reset', '/garbage', '/half-head', '/huge-head', '/101', '/two-lengths'):
            self.assertEqual(c.get(path).status, 502, path)
        self.assertEqual(c.get().body, b'origin')

    def test_put_is_sent_again_with_its_body(self):
        c = self.client()
        self.assertEqual(c.get().status, 200)
        before = len(self.origin.requests)
        a = c.answer(c.open(end=False, method='PUT', path='/drop', content_length='0'))
        self.assertEqual(a.status, 502)
        self.assertGreater(len(self.origin.requests) - before, 1)

    def test_bytes_one_by_one(self):
        c = self.client(preface=False)
        sid = 1
        c.answers[sid] = h2.Answer()
        block = c.block(c.usual('POST', '/echo'))
        for b in (h2.PREFACE + struct.pack('!I', 0)[1:] + bytes([h2.SETTINGS, 0, 0, 0, 0, 0]) + struct.pack('!I', len(block))[1:] +
                  bytes([h2.HEADERS, h2.END_HEADERS]) + struct.pack('!I', sid) + block + struct.pack('!I', 3)[1:] +
                  bytes([h2.DATA, h2.END_STREAM]) + struct.pack('!I', sid) + b'abc'):
            c.raw(bytes([b]))
        self.assertEqual(c.answer(sid).body, b'abc')

    def test_head_in_many_frames(self):
        c = self.client()
        c.answers[1] = h2.Answer()
        block = c.block(c.usual() + [('x-long', 'v' * 20000)])
        c.frame(h2.HEADERS, h2.END_STREAM, 1, block[:10])
        c.frame(h2.CONTINUATION, 0, 1, block[10:9000])
        c.frame(h2.CONTINUATION, h2.END_HEADERS, 1, block[9000:])
        self.assertEqual(c.answer(1).status, 200)
        self.assertEqual(len(dict(self.last()[1])['x-long']), 20000)


class Plain(H2):
    def test_prior_knowledge(self):
        c = self.client(plain=True)
        self.assertEqual(c.get().body, b'origin')
        self.assertEqual(dict(self.last()[1])['x-forwarded-proto'], 'http')

    def test_only_at_the_start(self):
        with rig.Client(self.router.http) as c:
            c.send(b'GET / HTTP/1.1\r\nHost: %s\r\n\r\n' % HOST.encode())
            self.assertEqual(c.answer()[0], 200)
            c.send(h2.PREFACE)
            self.assertEqual(c.answer()[0], 505)

    def test_no_upgrade(self):
        with rig.Client(self.router.http) as c:
            c.send(b'GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n' %
                   HOST.encode())
            self.assertEqual(c.answer()[0], 200)


class Off(H2):
    flags = ('--http2=false',)

    def test_alpn(self):
        self.assertEqual(self.tls().s.selected_alpn_protocol(), 'http/1.1')

    def test_prior_knowledge_is_off_by_default(self):
        with rig.Client(self.router.http) as c:
            c.send(h2.PREFACE)
            self.assertEqual(c.answer()[0], 505)


class Policy(H2):
    flags = ('--h2c', '--hsts', '--enforce-https=true', '--body-size', '1m')

    def test_hsts(self):
        c = self.client()
        self.assertEqual(c.get().fields['strict-transport-security'], 'max-age=10886400')

    def test_redirect(self):
        a = self.client(plain=True).get('/a?b')
        self.assertEqual((a.status, a.fields['location']), (301, 'https://%s:%d/a?b' % (HOST, self.https)))

    def test_too_large_without_a_length(self):
        c = self.client()
        sid = c.open(end=False, method='POST', path='/echo')
        piece = bytes(16384)
        a = c.answers[sid]
        sent = 0
        while a.status is None and a.reset is None and sent < 8 << 20:
            c.upload(sid, piece, end=False)
            sent += len(piece)
        self.assertEqual(c.answer(sid).status, 413)


class Heads(unittest.TestCase):
    def test_those_that_wait_are_memory_like_any_other(self):
        """A client has large ones sent again and again, gives each up and reads nothing."""
        origin = FatOrigin()
        self.addCleanup(origin.close)
        router = rig.Static([(HOST, origin.port)], '--h2c', '--buffer-memory', '1m', workers=1).start()
        self.addCleanup(router.clear)
        deaf = rig.Client(router.http, receive=2048)
        self.addCleanup(deaf.close)
        c = h2.Client(deaf, HOST)

        def let_go():
            before = len(origin.requests)
            with contextlib.suppress(OSError):
                ids = [c.open(path='/fat') for _ in range(90)]
                rig.wait_for(lambda: len(origin.requests) == before + len(ids) or shed(), 'all are answered, or it is let go')
                for sid in ids:
                    c.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.CANCEL))
            return shed()
        shed = lambda: router.metric('deis_router_connections_shed_total') > 0
        rig.wait_for(let_go, 'it is let go')
        rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') == 0, 'all is given back')


class FatOrigin(rig.Origin):
    def answer_fat(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 204 No Content\r\n' + b''.join(b'X-%d: %s\r\n' % (i, b'a' * 4000) for i in range(7)) + b'\r\n')
        return True


class FlowControl(H2):
    def test_a_client_that_gives_no_window_gets_no_more(self):
        c = self.client(credit=False)
        sid = c.open(path='/big/1000000')
        while len(c.answers[sid].body) < 65535:
            c.step()
        c.ping()
        self.assertEqual(len(c.answers[sid].body), 65535)
        # Other streams wait for the connection's window, then all goes on.
        other = c.open()
        self.assertEqual(c.head(other).status, 200)
        c.ping()
        self.assertEqual(c.answers[other].body, b'')
        c.credit = True
        c.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 2000000))
        c.frame(h2.WINDOW_UPDATE, 0, sid, struct.pack('!I', 1000000))
        self.assertEqual(c.answer(other).body, b'origin')
        self.assertEqual(len(c.answer(sid).body), 1000000)

    def test_windows_of_one_byte(self):
        c = self.client(credit=False, settings=((4, 1),))
        sid = c.open()
        while c.answers[sid].body != b'origin':
            c.step()
            if c.answers[sid].body:
                c.frame(h2.WINDOW_UPDATE, 0, sid, struct.pack('!I', 1))
        self.assertEqual(c.answer(sid).body, b'origin')

    def stuck(self):
        """A stream to a unit that takes no body."""
        unit = rig.Origin()
        unit.early_stuck = lambda s: unit.gate.wait(rig.DEADLINE)
        self.addCleanup(unit.close)
        self.addCleanup(unit.gate.set)
        self.assertEqual(self.router.set('stuck.site.test', unit.port), 'ok')
        c = self.client('stuck.site.test')
        return c, c.open(end=False, method='POST', path='/stuck')

    def test_a_unit_that_does_not_read_stops_the_client(self):
        c, sid = self.stuck()
        sent = 0
        patience = 0
        while patience < 10:
            if min(c.windows[0], c.windows[sid]) < 16384:
                patience += sent > 100000
                time.sleep(0.02)  # what is on its way through the kernel
                c.ping()
                continue
            c.upload(sid, bytes(16384), end=False)
            sent += 16384
            self.assertLess(sent, 60 << 20)

    def test_memory_of_a_connection_is_bound(self):
        def rss():
            with open('/proc/%d/smaps_rollup' % self.router.p.pid) as f:
                return int(re.search(r'Anonymous:\s+(\d+)', f.read()).group(1))
        c = self.client(credit=False, settings=((4, 0),))
        before = rss()
        ids = [c.open(path='/big/4000000') for i in range(100)]
        for sid in ids:
            c.head(sid)
        c.ping()
        self.assertLess(rss() - before, 16 * 1024)  # KiB; 100 units have 400 MB ready

    def test_more_than_the_window_is_an_error(self):
        c, sid = self.stuck()
        c.ping()
        try:
            for i in range(4000):
                c.data(sid, bytes(16384))
        except OSError:
            pass
        a = c.answers[sid]
        try:
            while a.reset is None:
                c.step()
            self.assertEqual(a.reset, h2.FLOW_CONTROL_ERROR)
        except h2.Gone as e:
            self.assertIn(e.code, (h2.FLOW_CONTROL_ERROR, None))

    def test_a_window_that_overflows(self):
        c = self.client(credit=False)
        sid = c.open(path='/big/1000000')
        c.frame(h2.WINDOW_UPDATE, 0, sid, struct.pack('!I', 0x7fffffff))
        with self.assertRaises(h2.Reset) as e:
            c.answer(sid)
        self.assertEqual(e.exception.code, h2.FLOW_CONTROL_ERROR)
        c.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 0x7fffffff))
        self.assertEqual(c.end(), h2.FLOW_CONTROL_ERROR)

    def test_a_slow_reader_gets_all(self):
        c = self.client(credit=False)
        sid = c.open(path='/big/3000000')
        a = c.answers[sid]
        credited = 65535
        while not a.ended:
            c.step()
            if len(a.body) == credited and not a.ended:
                credited += 40000
                c.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 40000))
                c.frame(h2.WINDOW_UPDATE, 0, sid, struct.pack('!I', 40000))
        self.assertEqual(len(a.body), 3000000)


class Trickle(unittest.TestCase):
    def test_an_answer_that_is_taken_byte_by_byte_is_cut(self):
        """It would hold the app's process for years."""
        origin = rig.Origin()
        self.addCleanup(origin.close)
        router = rig.Static([(HOST, origin.port)], '--h2c', workers=1).start()
        self.addCleanup(router.clear)
        c = h2.plain(router.http, HOST, credit=False, settings=((4, 1),))
        self.addCleanup(c.close)
        slow, steady = c.open(path='/big/20000000'), c.open(path='/big/20000000')

        def cut():
            if select.select([c.c.s], [], [], 0.25)[0]:
                c.step()
            else:
                c.frame(h2.WINDOW_UPDATE, 0, slow, struct.pack('!I', 1))
                c.frame(h2.WINDOW_UPDATE, 0, steady, struct.pack('!I', 200))
                c.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 201))
            return c.answers[slow].reset is not None
        rig.wait_for(cut, 'it is reset')
        self.assertEqual(c.answers[slow].reset, h2.INTERNAL_ERROR)
        self.assertEqual((c.answers[steady].status, c.answers[steady].reset), (200, None))


class Malformed(H2):
    """In the spirit of h2spec."""

    def test_heads(self):
        c = self.client()
        self.assertEqual(c.get().status, 200)
        before = len(self.origin.requests)
        usual = c.usual()
        cases = [usual[1:], usual[:1] + usual[2:], usual[:3], usual[:3] + [(':path', '')], usual[:3] + [(':path', 'x')],
                 usual + [(':path', '/again')], usual + [('a', 'b'), (':path', '/late')], usual + [(':status', '200')],
                 usual + [('Upper', 'x')], usual + [('connection', 'close')], usual + [('transfer-encoding', 'chunked')],
                 usual + [('upgrade', 'h2c')], usual + [('keep-alive', '1')], usual + [('proxy-connection', 'x')],
                 usual + [('te', 'gzip')], usual + [('host', 'other.site.test')], usual + [('a b', 'x')], usual + [('a', 'x\r\ny: z')],
                 usual + [('a', 'x\0')], usual + [('', 'x')], usual + [('content-length', 'x')],
                 usual + [('content-length', '1'), ('content-length', '1')], usual + [(':protocol', 'websocket')],
                 [(':method', 'G T')] + usual[1:], [(':method', 'CONNECT')] + usual[1:], usual[:1] + [(':scheme', 'ftp')] + usual[2:],
                 usual[:2] + [(':authority', 'a@b')] + usual[3:], usual[:3] + [(':path', '/ x')], [(':method', 'GET'), (':authority', HOST)]]
        for fields in cases:
            sid = c.open(fields)
            try:
                self.assertIn(c.answer(sid).status, (400, 501), fields)
            except h2.Reset as e:
                self.assertEqual(e.code, h2.PROTOCOL_ERROR, fields)
        self.assertEqual(c.get().status, 200)
        self.assertEqual(len(self.origin.requests), before + 1)

    def test_content_length_that_lies(self):
        c = self.client()
        for length, data in (('3', b'four'), ('5', b'four')):
            sid = c.open(end=False, method='POST', path='/echo', content_length=length)
            c.data(sid, data, end=True)
            with self.assertRaises(h2.Reset) as e:
                c.answer(sid)
            self.assertEqual(e.exception.code, h2.PROTOCOL_ERROR)
        with self.assertRaises(h2.Reset):
            c.get(content_length='1')
        self.assertEqual(c.get().status, 200)

    def test_heads_too_large(self):
        c = self.client()
        self.assertEqual(c.get('/' + 'a' * 8192).status, 414)
        self.assertEqual(c.answer(c.open(c.usual() + [('n%d' % i, 'x') for i in range(101)])).status, 431)
        self.assertEqual(c.get().status, 200)
        c.answers[c.next_id] = h2.Answer()
        block = c.block(c.usual() + [('a%d' % i, 'v' * 3000) for i in range(14)])
        sid = c.next_id
        c.next_id += 2
        c.frame(h2.HEADERS, h2.END_STREAM, sid, block[:16000])
        c.frame(h2.CONTINUATION, 0, sid, block[16000:32000])
        c.frame(h2.CONTINUATION, h2.END_HEADERS, sid, block[32000:])
        try:
            self.assertEqual(c.answer(sid).status, 431)
        except h2.Reset as e:
            self.assertIn(e.code, (h2.PROTOCOL_ERROR, h2.INTERNAL_ERROR))
        self.assertEqual(c.get().status, 200)

    def ends(self, code, *frames, before=True):
        """These frames end the connection with this code; the router lives."""
        c = self.client(preface=before)
        if before:
            self.assertEqual(c.get().status, 200)
        try:
            for f in frames:
                c.raw(f) if isinstance(f, bytes) else c.frame(*f)
        except OSError:
            pass
        got = c.end()
        self.assertIn(got, code if isinstance(code, tuple) else (code,), frames)

    def test_connection_errors(self):
        block = h2.hpack.Encoder().encode([(':method', 'GET'), (':scheme', 'https'), (':authority', HOST), (':path', '/')])
        protocol, size = h2.PROTOCOL_ERROR, h2.FRAME_SIZE_ERROR
        self.ends(None, b'GET / HTTP/1.1\r\n\r\n', before=False)
        self.ends((protocol, None), h2.PREFACE, (h2.PING, 0, 0, bytes(8)), before=False)  # the first frame must be SETTINGS
        self.ends(size, struct.pack('!I', 16385)[1:] + bytes([h2.DATA, 0]) + struct.pack('!I', 3) + bytes(16385))
        self.ends(size, (h2.PING, 0, 0, bytes(7)))
        self.ends(size, (h2.SETTINGS, 0, 0, bytes(5)))
        self.ends(size, (h2.SETTINGS, h2.ACK, 0, bytes(6)))
        self.ends(size, (h2.RST_STREAM, 0, 1, bytes(3)))
        self.ends(size, (h2.WINDOW_UPDATE, 0, 0, bytes(3)))
        self.ends(protocol, (h2.SETTINGS, 0, 1, b''))
        self.ends(protocol, (h2.SETTINGS, 0, 0, struct.pack('!HI', 2, 2)))
        self.ends(h2.FLOW_CONTROL_ERROR, (h2.SETTINGS, 0, 0, struct.pack('!HI', 4, 0x80000000)))
        self.ends(protocol, (h2.SETTINGS, 0, 0, struct.pack('!HI', 5, 1)))
        self.ends(protocol, (h2.DATA, 0, 0, b'x'))
        self.ends(protocol, (h2.DATA, 0, 5, b'x'))  # idle
        self.ends(protocol, (h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 0, block))
        self.ends(protocol, (h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 2, block))
        self.ends(protocol, (h2.HEADERS, h2.PADDED | h2.END_HEADERS | h2.END_STREAM, 3, bytes([255]) + block))
        self.ends(protocol, (h2.CONTINUATION, h2.END_HEADERS, 3, block))
        self.ends(protocol, (h2.HEADERS, h2.END_STREAM, 3, block), (h2.PING, 0, 0, bytes(8)))
        self.ends(protocol, (h2.HEADERS, h2.END_STREAM, 3, block), (h2.CONTINUATION, h2.END_HEADERS, 5, b''))
        self.ends(h2.COMPRESSION_ERROR, (h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 3, b'\xff\xff\xff\xff\xff\xff'))
        self.ends(protocol, (h2.RST_STREAM, 0, 0, bytes(4)))
        self.ends(protocol, (h2.RST_STREAM, 0, 7, bytes(4)))  # idle
        self.ends(protocol, (h2.PING, 0, 1, bytes(8)))
        self.ends(protocol, (h2.GOAWAY, 0, 1, bytes(8)))
        self.ends(protocol, (h2.PUSH_PROMISE, h2.END_HEADERS, 1, struct.pack('!I', 2) + block))
        self.ends(protocol, (h2.WINDOW_UPDATE, 0, 0, bytes(4)))
        self.assertTrue(self.router.is_well())

    def test_what_is_unknown_is_ignored(self):
        c = self.client()
        c.frame(0x42, 0xff, 0, b'whatever')
        c.frame(h2.SETTINGS, 0, 0, struct.pack('!HI', 0xfafa, 1))
        c.frame(h2.PRIORITY, 0, 9, bytes(5 - 1) + b'\x10')
        c.frame(h2.PING, 0xf0, 0, b'odd bits')
        self.assertEqual(c.get().status, 200)


class Abuse(H2):
    def ends_calm(self, act, count):
        """Doing this over and over ends the connection; others are served."""
        before = self.router.metric('deis_router_h2_abuses_total')
        c = self.client()
        self.assertEqual(c.get().status, 200)
        try:
            for i in range(count):
                act(c, i)
        except (OSError, h2.Gone):
            pass
        self.assertIn(c.end(), (h2.ENHANCE_YOUR_CALM, None))
        self.assertEqual(self.client().get().status, 200)
        return self.router.metric('deis_router_h2_abuses_total') - before

    def test_rapid_reset(self):
        def act(c, i):
            sid = c.open(path='/slow/1')
            c.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.CANCEL))
        self.assertEqual(self.ends_calm(act, 3000), 1)

    def test_resets_that_the_router_is_made_to_send(self):
        def act(c, i):
            sid = c.open(path='/slow/1', end=False, method='POST')
            c.frame(h2.WINDOW_UPDATE, 0, sid, struct.pack('!I', 0x7fffffff))
            if i % 50 == 49:
                c.ping()
        self.assertEqual(self.ends_calm(act, 3000), 1)

    def test_a_page_that_is_left_is_no_abuse(self):
        c = self.client()
        for i in range(3):
            ids = [c.open(path='/slow/0.2') for i in range(90)]
            for sid in ids:
                c.frame(h2.RST_STREAM, 0, sid, struct.pack('!I', h2.CANCEL))
            self.assertEqual(c.get().status, 200)

    def test_floods_of_frames_that_carry_nothing(self):
        for frame in ((h2.PING, 0, 0, bytes(8)), (h2.SETTINGS, 0, 0, b''), (h2.PRIORITY, 0, 9, bytes(4) + b'\x10')):
            self.ends_calm(lambda c, i: c.raw(b''.join([struct.pack('!I', len(frame[3]))[1:] + bytes(frame[:2]) +
                                                        struct.pack('!I', frame[2]) + frame[3]] * 50)), 200)

    def test_empty_data(self):
        def act(c, i):
            if i == 0:
                c.sid = c.open(end=False, method='POST', path='/echo')
            c.data(c.sid)
        self.assertEqual(self.ends_calm(act, 5000), 1)

    def test_windows_that_grow_by_one(self):
        def act(c, i):
            c.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 1))
        self.assertEqual(self.ends_calm(act, 5000), 1)

    def test_continuations_without_end(self):
        def act(c, i):
            if i == 0:
                c.frame(h2.HEADERS, h2.END_STREAM, 101, c.block(c.usual()))
            c.frame(h2.CONTINUATION, 0, 101, c.block([('a', 'b')]))
        self.ends_calm(act, 2000)

    def test_header_bomb(self):
        c = self.client()
        self.assertEqual(c.get().status, 200)
        # One long field in the table of HPACK, named 15000 times: 60 MB when unfolded.
        sid = c.next_id
        c.next_id += 2
        c.answers[sid] = h2.Answer()
        block = c.block(c.usual() + [('x-bomb', 'v' * 3900)])
        c.frame(h2.HEADERS, h2.END_STREAM, sid, block)
        index = bytes([0x80 | 62])
        c.frame(h2.CONTINUATION, h2.END_HEADERS, sid, index * 15000)
        try:
            self.assertEqual(c.answer(sid).status, 431)
            self.assertEqual(c.get().status, 200)
        except (h2.Reset, h2.Gone) as e:
            self.assertIn(e.code, (h2.PROTOCOL_ERROR, h2.ENHANCE_YOUR_CALM, h2.INTERNAL_ERROR))
        self.assertEqual(self.client().get().status, 200)

    def test_a_client_that_leaves_frees_the_units(self):
        c = self.client()
        self.origin.gate.clear()
        for i in range(20):
            c.open(path='/gate')
        c.ping()
        rig.wait_for(lambda: sum(a['in_flight'] for a in self.in_flight()) >= 20, 'requests in flight')
        c.close()
        rig.wait_for(lambda: sum(a['in_flight'] for a in self.in_flight()) == 0, 'nothing in flight')
        self.origin.gate.set()

    def in_flight(self):
        return [{'in_flight': int(float(line.split()[1]))} for line in self.router.admin('/metrics').splitlines()
                if line.startswith('deis_router_app_in_flight{')]


class Chance(H2):
    """Clients that do anything, in any order; the same at each run. The sanitizers watch, and nothing may stay behind."""
    PATHS = ('/', '/echo', '/echo-chunked', '/big/300000', '/slow/0.01', '/status/204', '/status/304', '/drop', '/reset', '/short', '/short-chunked',
             '/early', '/hints', '/hop', '/until-close', '/split', '/huge-head', '/101', '/garbage', '/nope')

    def act(self, c, rng, ids):
        what = rng.random()
        if what < .45 or not ids:
            c.host = rng.choice((HOST, HOST, HOST, 'nobody.site.test', 'down.site.test'))
            more = {'content_length': str(rng.choice((0, 1, 10, 5000)))} if rng.random() < .2 else {}
            fields = c.usual(rng.choice(('GET', 'POST', 'HEAD', 'PUT', 'TRACE')), rng.choice(self.PATHS), **more)
            if rng.random() < .1:
                fields = [(':method', 'CONNECT'), (':protocol', 'websocket')] + fields[1:3] + [(':path', '/ws')]
            if rng.random() < .1:
                rng.shuffle(fields)
            ids.append(c.open(fields, end=rng.random() < .5))
        elif what < .65:
            c.data(rng.choice(ids), bytes(rng.choice((0, 1, 1000, 16384))), rng.random() < .3)
        elif what < .75:
            c.frame(h2.RST_STREAM, 0, rng.choice(ids), struct.pack('!I', rng.randrange(14)))
        elif what < .8:
            c.frame(h2.WINDOW_UPDATE, 0, rng.choice(ids + [0]), struct.pack('!I', rng.choice((1, 1000, 100000))))
        elif what < .84:
            c.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, rng.choice(ids), c.block([('x-trailer', '1')]))
        elif what < .88:
            c.frame(h2.SETTINGS, 0, 0, struct.pack('!HI', 4, rng.choice((0, 10, 65535, 200000))))
        elif what < .9:
            c.frame(rng.randrange(12), rng.randrange(256), rng.choice(ids + [0, 99]), rng.randbytes(rng.randrange(30)))
        else:
            c.ping()

    def one(self, rng):
        c = self.client(plain=rng.random() < .7, credit=rng.random() < .7)
        c.c.s.settimeout(1)
        try:
            ids = []
            for i in range(rng.randrange(5, 60)):
                self.act(c, rng, ids)
            c.ping()
        except (OSError, h2.Gone, AttributeError):
            pass  # it was one of the things that end a connection
        if rng.random() < .5:
            c.c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        c.close()

    def test_anything(self):
        self.origin.gate.set()
        rng = random.Random(9113)
        for i in range(150):
            self.one(rng)
        self.assertTrue(self.router.is_well())
        for name in ('deis_router_connections', 'deis_router_tunnels', 'deis_router_buffer_bytes',
                     'deis_router_app_in_flight{app="%s"}' % HOST, 'deis_router_app_connections{app="%s"}' % HOST):
            rig.wait_for(lambda: self.router.metric(name) == 0, name + ' is 0')


class Drain(H2):
    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        H2.setUpClass.__func__(type(self))

    def tearDown(self):
        H2.tearDownClass.__func__(type(self))

    def test_streams_finish_and_the_client_is_told(self):
        c, idle = self.client(), self.client()
        self.assertEqual(idle.get().status, 200)
        self.origin.gate.clear()
        sid = c.open(path='/gate')
        up = c.open(end=False, method='POST', path='/echo')
        c.ping()
        self.router.p.send_signal(signal.SIGTERM)
        while len(c.goaways) < 2:
            c.step()
        self.assertEqual(c.goaways, [(0x7fffffff, h2.NO_ERROR), (up, h2.NO_ERROR)])
        self.origin.gate.set()
        c.upload(up, b'x' * 200000)
        self.assertEqual(c.answer(sid).body, b'origin')
        self.assertEqual(len(c.answer(up).body), 200000)
        self.assertEqual(c.end(), h2.NO_ERROR)
        self.assertEqual(idle.end(), h2.NO_ERROR)
        self.assertEqual(self.router.stop(how=None), 0)

    def test_another_process_takes_over(self):
        c, idle = self.client(), self.client()
        self.assertEqual(idle.get().status, 200)
        self.origin.gate.clear()
        sid = c.open(path='/gate')
        c.ping()
        old = handover_test.successor(self.router)
        handover_test.taken(self.router)
        self.assertEqual(idle.end(), h2.NO_ERROR)
        while len(c.goaways) < 2:
            c.step()
        self.assertEqual(c.goaways[-1], (sid, h2.NO_ERROR))
        self.assertEqual(self.client().get().status, 200)  # by the new one
        self.origin.gate.set()
        self.assertEqual(c.answer(sid).body, b'origin')
        self.assertEqual(c.end(), h2.NO_ERROR)
        self.assertEqual(old.wait(rig.DEADLINE), 0)

    def test_a_client_that_never_answers_the_notice(self):
        c = self.client()
        self.assertEqual(c.get().status, 200)
        self.origin.gate.clear()
        sid = c.open(path='/gate')
        c.ping()
        self.router.p.send_signal(signal.SIGTERM)
        self.origin.gate.set()
        kinds = []
        c.frame = lambda *a: kinds.append(a[0])  # mute from now on
        self.assertEqual(c.answer(sid).body, b'origin')
        self.assertEqual(c.end(), h2.NO_ERROR)
        self.assertEqual(self.router.stop(how=None), 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
