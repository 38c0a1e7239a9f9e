# SPDX-License-Identifier: MIT
"""The web application firewall, by its module and the Core Rule Set: what looks like an attack is answered, all else passes."""
import json
import os
import socket
import unittest
import urllib.parse

import h2_rig as h2
import h2_test
import rig

HOST = 'app.test'
AGENT = 'User-Agent: Mozilla/5.0\r\nAccept: */*\r\n'
SQLI = "1' UNION SELECT username, password FROM users -- "
XSS = '<script>alert(document.cookie)</script>'
TRAVERSAL = '../../../../etc/passwd'
FORM, JSON, XML = 'application/x-www-form-urlencoded', 'application/json', 'text/xml'
PARTS = 'multipart/form-data; boundary=cut'
LIMIT = 128 * 1024


def form(value='all is well', **more):
    return urllib.parse.urlencode({'name': value, **more}).encode()


def parts(value='all is well', file=b'the file'):
    return ('--cut\r\nContent-Disposition: form-data; name="field"\r\n\r\n%s\r\n'
            '--cut\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
            'Content-Type: application/octet-stream\r\n\r\n' % value).encode() + file + b'\r\n--cut--\r\n'


def xml(value='all is well'):
    return b'<?xml version="1.0"?><note><to>%s</to></note>' % value.encode()


def head(kind, *fields, path='/echo', method='POST', host=HOST):
    lines = ['%s %s HTTP/1.1' % (method, path), 'Host: ' + host, 'Content-Type: ' + kind, *fields]
    return ('\r\n'.join(lines) + '\r\n' + AGENT + '\r\n').encode()


def post(kind, body, *fields, **kw):
    return head(kind, 'Content-Length: %d' % len(body), *fields, **kw) + body


def chunks(body, size, trailer=b''):
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return b''.join(b'%x\r\n%s\r\n' % (len(p), p) for p in pieces) + b'0\r\n' + trailer + b'\r\n'


def chunked(kind, body, *fields, size=1000, **kw):
    return head(kind, 'Transfer-Encoding: chunked', *fields, **kw) + chunks(body, size)


BAD = ((FORM, form(SQLI)), (FORM, form(XSS)), (FORM, form(TRAVERSAL)), (JSON, json.dumps({'a': [{'b': SQLI}]}).encode()),
       (PARTS, parts(SQLI)), (XML, xml(SQLI)))
GOOD = ((FORM, form()), (FORM, form('x' * 50000)), (FORM, form('x' * 120000)), (JSON, json.dumps({'a': ['b' * 200] * 200}).encode()),
        (PARTS, parts()), (PARTS, parts(file=os.urandom(1 << 20))), (XML, xml()),
        ('application/octet-stream', os.urandom(1 << 20)))


class Firewall(unittest.TestCase):
    flags = ()
    workers = 2

    @classmethod
    def setUpClass(cls):
        cls.origin = rig.Origin()
        cls.router = rig.Static([(HOST, cls.origin.port)], '--firewall', '--h2c', *cls.flags, workers=cls.workers).start()

    @classmethod
    def tearDownClass(cls):
        cls.router.clear()
        cls.origin.close()

    def setUp(self):
        self.origin.requests.clear()

    def client(self):
        c = rig.Client(self.router.http)
        self.addCleanup(c.close)
        return c

    def h2(self):
        c = h2.plain(self.router.http, HOST)
        self.addCleanup(c.close)
        return c

    def status(self, data):
        return self.client().send(data).answer()[0]

    def bodies(self):
        return [body for _, _, body in self.origin.requests]

    def fields(self):
        return {n.lower(): v for n, v in self.origin.requests[-1][1]}

    def is_empty(self):
        return self.router.metric('deis_router_buffer_bytes') == 0


class Heads(Firewall):
    def test_attacks(self):
        before = self.router.metric('deis_router_firewall_blocked_total')
        quote = urllib.parse.quote
        targets = ['/?id=' + quote(SQLI), '/?q=' + quote(XSS), '/a?file=' + quote(TRAVERSAL)]
        for target in targets:
            status, fields, body = rig.get(self.router.http, HOST, target, AGENT)
            self.assertEqual((status, fields['cache-control']), (400, 'no-store'))
            self.assertIn(b'D05', body)
        self.assertEqual(rig.get(self.router.http, HOST, '/', AGENT + 'Cookie: a=' + quote(SQLI) + '\r\n')[0], 400)
        self.assertEqual(self.origin.requests, [])
        self.assertEqual(self.router.metric('deis_router_firewall_blocked_total') - before, 4)

    def test_the_log_names_the_rules(self):
        target = '/logged?id=' + urllib.parse.quote(SQLI)
        self.assertEqual(rig.get(self.router.http, HOST, target, AGENT)[0], 400)
        line, = self.router.lines('/logged')
        self.assertIn('at=error code=D05 ', line)
        self.assertIn(' status=400 ', line)
        self.assertRegex(line, r' rules=(\d+,)*942\d+')
        rig.get(self.router.http, HOST, '/unsuspicious', AGENT)
        self.assertNotIn('rules=', self.router.lines('/unsuspicious')[0])

    def test_the_rest_of_the_connection(self):
        attack = '/?id=' + urllib.parse.quote(SQLI)
        c = self.client()
        for path, status in (('/', 200), (attack, 400), ('/', 200), (attack, 400)):
            c.send(head(FORM, path=path, method='GET'))
            self.assertEqual(c.answer()[0], status)
        with self.client() as c:
            c.send(b''.join(head(FORM, path=path, method='GET') for path in ('/1', attack, '/2')))
            self.assertEqual([c.answer()[0] for _ in range(3)], [200, 400, 200])

    def test_head(self):
        c = self.client()
        c.send(head(FORM, path='/', method='HEAD') + head(FORM, path='/?id=' + urllib.parse.quote(SQLI), method='HEAD'))
        self.assertEqual([c.answer(head_only=True)[0] for _ in range(2)], [200, 400])

    def test_upgrades(self):
        ask = 'GET %s HTTP/1.1\r\nHost: ' + HOST + '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' \
            'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' + AGENT + '\r\n'
        c = self.client().send((ask % ('/ws?id=' + urllib.parse.quote(SQLI))).encode())
        self.assertEqual(c.answer()[0], 400)
        c = self.client().send((ask % '/ws').encode())
        self.assertEqual(c.answer()[0], 101)
        self.assertEqual(rig.ws_read(c.take), (1, b'hello'))
        said = SQLI.encode() * 1000  # frames are nobody's business
        c.send(rig.ws_frame(said, mask=b'abcd'))
        self.assertEqual(rig.ws_read(c.take), (1, said))

    def test_a_body_that_is_not_looked_into_does_not_pass_with_a_bad_head(self):
        bad = head('application/octet-stream', 'Content-Length: 1000000', path='/?id=' + urllib.parse.quote(SQLI))
        status, fields, _ = self.client().send(bad + b'a').answer()
        self.assertEqual((status, fields['connection']), (400, 'close'))


class Bodies(Firewall):
    def test_attacks(self):
        for kind, body in BAD:
            self.assertEqual(self.status(post(kind, body)), 400)
            self.assertEqual(self.status(chunked(kind, body, size=7)), 400)
        self.assertEqual(self.origin.requests, [])

    def test_attacks_byte_by_byte(self):
        for kind, body in BAD[:1] + BAD[4:5]:
            for data in (post(kind, body), chunked(kind, body, size=1)):
                c = self.client()
                c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for b in data:
                    c.send(bytes([b]))
                self.assertEqual(c.answer()[0], 400)
        self.assertEqual(self.origin.requests, [])

    def test_what_is_well_arrives_as_it_was_sent(self):
        for kind, body in GOOD:
            for data in (post(kind, body), chunked(kind, body, size=1 if len(body) < 1000 else 50000)):
                self.assertEqual(self.client().send(data).answer()[::2], (200, body))
        self.assertEqual(rig.get(self.router.http, HOST, '/', AGENT)[0], 200)
        rig.wait_for(self.is_empty, 'nothing is held any more')

    def test_byte_by_byte(self):
        for data in (post(FORM, form()), chunked(FORM, form(), size=3), post(JSON, b'{"a": 1}')):
            c = self.client()
            c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for b in data:
                c.send(bytes([b]))
            self.assertEqual(c.answer()[0], 200)
        self.assertEqual(self.bodies(), [form(), form(), b'{"a": 1}'])

    def test_framing_stays_the_same(self):
        self.assertEqual(self.status(post(FORM, form())), 200)
        self.assertEqual((self.fields()['content-length'], 'transfer-encoding' in self.fields()), (str(len(form())), False))
        self.assertEqual(self.status(chunked(FORM, form())), 200)
        self.assertEqual((self.fields()['transfer-encoding'], 'content-length' in self.fields()), ('chunked', False))
        self.assertEqual(self.status(chunked(FORM, b'')), 200)
        self.assertEqual(self.status(post(FORM, b'')), 200)
        self.assertEqual(self.bodies(), [form(), form(), b'', b''])

    def test_trailers(self):
        c = self.client().send(head(FORM, 'Transfer-Encoding: chunked', 'Trailer: X-Sum') + chunks(form(), 5, b'X-Sum: 1\r\n'))
        c.send(post(FORM, form('next')))
        self.assertEqual([c.answer()[2] for _ in range(2)], [form(), form('next')])

    def test_bad_chunks(self):
        for bad in (b'zz\r\n', b'3\r\nabcd\r\n0\r\n\r\n'):
            self.assertEqual(self.status(head(FORM, 'Transfer-Encoding: chunked') + bad), 400)
            c = self.client().send(head(FORM, 'Transfer-Encoding: chunked') + b'3\r\na=b\r\n')
            self.assertEqual(c.send(bad).answer()[0], 400)
        self.assertEqual(self.origin.requests, [])

    def test_one_after_another(self):
        for one in (post, chunked):
            c = self.client()
            c.send(one(FORM, form('1')) + one(FORM, form(SQLI)) + one(FORM, form('2')) + head(FORM, path='/', method='GET'))
            answers = [c.answer() for _ in range(4)]
            self.assertEqual([a[0] for a in answers], [200, 400, 200, 200])
            self.assertEqual([a[2] for a in answers if a[0] == 200], [form('1'), form('2'), b'origin'])
        c = self.client()
        for i in range(20):  # each body ends in the midst of what is read at once
            c.send(post(FORM, form('y' * 6000 * i)))
        for i in range(20):
            self.assertEqual(c.answer()[2], form('y' * 6000 * i))

    def test_continue(self):
        c = self.client().send(head(FORM, 'Expect: 100-continue', 'Content-Length: %d' % len(form())))
        self.assertEqual(c.answer()[0], 100)
        self.assertEqual(self.origin.requests, [])
        self.assertEqual(c.send(form()).answer()[::2], (200, form()))  # and no second 100
        self.assertNotIn('expect', self.fields())
        c.send(head(FORM, 'Expect: 100-continue', 'Content-Length: %d' % len(form())) + form())
        self.assertEqual(c.answer()[0], 200)
        c.send(head('application/octet-stream', 'Expect: 100-continue', 'Content-Length: 3'))
        self.assertEqual(c.answer()[0], 100)
        self.assertEqual(c.send(b'abc').answer()[::2], (200, b'abc'))
        self.assertEqual(self.fields()['expect'], '100-continue')
        c.send(head('application/octet-stream', 'Expect: 100-continue', 'Content-Length: 5', path='/?id=' + urllib.parse.quote(SQLI)))
        self.assertEqual(c.answer()[0], 400)  # at once

    def test_more_than_is_held(self):
        much = form('z' * LIMIT)
        for kind in (FORM, JSON, XML):
            c = self.client().send(head(kind, 'Content-Length: %d' % len(much), 'Expect: 100-continue'))
            self.assertEqual(c.answer()[0], 413)
            self.assertEqual(self.status(chunked(kind, much, size=10000)), 413)
        exact = b'a=' + b'z' * (LIMIT - 2)
        for one in (post, chunked):
            self.assertEqual(self.client().send(one(FORM, exact)).answer()[::2], (200, exact))
        self.assertEqual(self.bodies(), [exact, exact])

    def test_the_start_of_a_large_multipart_body(self):
        file = os.urandom(1 << 20)
        for one in (post, chunked):
            c = self.client()
            try:  # it may be answered and closed before all is sent
                c.send(one(PARTS, parts(SQLI, file)))
            except ConnectionError:
                pass
            self.assertEqual(c.answer()[0], 400)
            self.assertEqual(self.client().send(one(PARTS, parts(file=file))).answer()[::2], (200, parts(file=file)))
        c = self.client().send(post(PARTS, parts(file=file)) + post(PARTS, parts(file=file)) + post(FORM, form()))
        self.assertEqual([c.answer()[2] for _ in range(3)], [parts(file=file)] * 2 + [form()])

    def test_a_client_that_leaves(self):
        for data in (post(FORM, form('w' * 90000))[:-1], chunked(FORM, form('w' * 90000))[:-1]):
            c = self.client().send(data)
            rig.wait_for(lambda: self.router.metric('deis_router_buffer_bytes') > 90000, 'most of it is held')
            c.close()
            rig.wait_for(self.is_empty, 'it is given back')
        self.assertEqual(self.origin.requests, [])


class H2(Firewall):
    def test_attacks(self):
        c = self.h2()
        agent = {'user_agent': 'Mozilla/5.0', 'accept': '*/*'}
        self.assertEqual(c.get('/?id=' + urllib.parse.quote(SQLI), **agent).status, 400)
        for kind, body in BAD:
            for length in ({}, {'content_length': str(len(body))}):
                sid = c.open(end=False, method='POST', path='/echo', content_type=kind, **length, **agent)
                c.upload(sid, body)
                self.assertEqual(c.answer(sid).status, 400)
        self.assertEqual(c.get('/', **agent).status, 200)
        self.assertEqual(self.bodies(), [b''])

    def test_what_is_well(self):
        c = self.h2()
        for kind, body in GOOD:
            for length in ({}, {'content_length': str(len(body))}):
                sid = c.open(end=False, method='POST', path='/echo', content_type=kind, user_agent='Mozilla/5.0', **length)
                c.upload(sid, body)
                a = c.answer(sid)
                self.assertEqual((a.status, a.body), (200, body))

    def test_an_end_of_its_own(self):
        c = self.h2()
        for end in (lambda sid: c.data(sid, b'', True),
                    lambda sid: c.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, sid, c.block([('x-sum', '1')]))):
            for value, status in (('fine', 200), (SQLI, 400)):
                sid = c.open(end=False, method='POST', path='/echo', content_type=FORM, user_agent='Mozilla/5.0')
                c.data(sid, form(value))
                c.ping()
                end(sid)
                self.assertEqual(c.answer(sid).status, status)

    def test_many_streams(self):
        c = self.h2()
        c.step()  # its settings
        sids = [c.open(end=False, method='POST', path='/echo', content_type=FORM, user_agent='Mozilla/5.0') for _ in range(90)]
        body = {sid: form('v' * 5000, i=SQLI if i % 3 == 0 else i) for i, sid in enumerate(sids)}
        for at in range(0, 5200, 1300):  # by turns
            for sid in sids:
                c.upload(sid, body[sid][at:at + 1300], end=at >= 3900)
        for i, sid in enumerate(sids):
            a = c.answer(sid)
            self.assertEqual(a.status, 400 if i % 3 == 0 else 200)
            self.assertTrue(i % 3 == 0 or a.body == body[sid])

    def test_continue(self):
        c = self.h2()
        sid = c.open(end=False, method='POST', path='/echo', content_type=FORM, user_agent='Mozilla/5.0', expect='100-continue')
        a = c.answers[sid]
        while not a.heads:
            c.step()
        self.assertEqual(dict(a.heads[0])[':status'], '100')
        c.upload(sid, form())
        self.assertEqual(c.answer(sid).body, form())
        self.assertEqual(len(a.heads), 2)

    def test_a_stream_that_is_reset(self):
        c = self.h2()
        sid = c.open(end=False, method='POST', path='/echo', content_type=FORM, user_agent='Mozilla/5.0')
        c.upload(sid, form('r' * 90000), end=False)
        rig.wait_for(lambda: self.router.metric('deis_router_buffer_bytes') > 90000, 'most of it is held')
        c.frame(h2.RST_STREAM, 0, sid, b'\0\0\0\x08')
        rig.wait_for(self.is_empty, 'it is given back')
        self.assertTrue(c.is_alive())


class Tls(h2_test.H2):
    """Bytes that the socket does not show wait in its buffers."""
    flags = ('--firewall',)

    def test_http1(self):
        host, c = h2_test.HOST, self.tls(offer=('http/1.1',))
        for one in (post, chunked):
            for size in (10, 20000, 60000, 120000):
                bodies = [form('t' * size, i=i) for i in range(3)]
                attack = one(FORM, form(SQLI + 't' * size), host=host)
                c.send(one(FORM, bodies[0], host=host) + attack + one(PARTS, parts(file=bytes(300000)), host=host) +
                       one(FORM, bodies[1], host=host))
                answers = [c.answer()[::2] for _ in range(4)]
                self.assertEqual(answers[1][0], 400)
                del answers[1]
                self.assertEqual(answers, [(200, bodies[0]), (200, parts(file=bytes(300000))), (200, bodies[1])])

    def test_http2(self):
        c = self.client(h2_test.HOST)
        for value, status in ((SQLI, 400), ('u' * 100000, 200)):
            sid = c.open(end=False, method='POST', path='/echo', content_type=FORM, user_agent='Mozilla/5.0')
            c.upload(sid, form(value))
            a = c.answer(sid)
            self.assertEqual(a.status, status)
        self.assertEqual(a.body, form(value))


if __name__ == '__main__':
    unittest.main()
