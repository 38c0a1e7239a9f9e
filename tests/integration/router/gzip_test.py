# SPDX-License-Identifier: MIT
"""Compressed answers: what is compressed for whom, how it streams, and how its settings come and go."""
import hashlib
import os
import random
import threading
import unittest
import zlib

import etcd_test
import h2_rig as h2
import rig
import unit_h2_test

HOST = 'blog.example.com'
TEXT = b''.join(b'%d: the quick brown fox jumps over the lazy dog\n' % i for i in range(400))
TAKES = 'Accept-Encoding: gzip\r\n'


def unzip(data):
    """The whole of one member of gzip, and nothing behind it."""
    d = zlib.decompressobj(31)
    plain = d.decompress(data)
    assert d.eof and not d.unused_data, 'cut short, or more than one'
    return plain


def head(status='200 OK', **fields):
    lines = ''.join('%s: %s\r\n' % (k.replace('_', '-'), v) for k, v in fields.items() if v is not None)
    return ('HTTP/1.1 %s\r\n%s\r\n' % (status, lines)).encode()


def whole(body, status='200 OK', **fields):
    return head(status, **{'Content_Type': 'text/plain', 'Content_Length': len(body), **fields}) + body


def chunked(pieces, **fields):
    return head(**{'Content_Type': 'text/plain', 'Transfer_Encoding': 'chunked', **fields}) + \
        b''.join(b'%x\r\n%s\r\n' % (len(p), p) for p in pieces) + b'0\r\n\r\n'


class Origin(rig.Origin):
    """/reply: what a test has put there. /stream: pieces, each when the test says so, until None."""

    def __init__(self):
        super().__init__()
        self.reply = b''
        self.said = threading.Condition()
        self.pieces = []
        self.left = 0

    def answer_reply(self, c, f, method, path, fields, body):
        c.sendall(self.reply)
        return b'\r\nContent-Length' in self.reply or b'\r\nTransfer-' in self.reply or method == 'HEAD'

    def answer_stream(self, c, f, method, path, fields, body):
        c.sendall(self.reply)
        at = 0
        while True:
            with self.said:
                if not self.said.wait_for(lambda: len(self.pieces) > at, rig.DEADLINE):
                    return False
                piece = self.pieces[at]
            at += 1
            if piece is None:
                return False
            c.sendall(piece)

    def answer_endless(self, c, f, method, path, fields, body):
        """Until the peer leaves."""
        c.sendall(head(Content_Type='text/plain', Transfer_Encoding='chunked') + b'4\r\nword\r\n')
        c.settimeout(rig.DEADLINE)
        try:
            c.recv(1)
        finally:
            with self.said:
                self.left += 1
                self.said.notify_all()
        return False

    def say(self, piece):
        with self.said:
            self.pieces.append(piece)
            self.said.notify_all()


class Rig(unittest.TestCase):
    FLAGS = ('--h2c',)

    @classmethod
    def setUpClass(cls):
        cls.world = etcd_test.World(*cls.FLAGS)
        cls.addClassCleanup(cls.world.clear)
        cls.etcd, cls.router = cls.world.etcd, cls.world.router
        cls.world.app('blog')
        cls.origin = Origin()
        cls.addClassCleanup(cls.origin.close)
        cls.world.run('blog_v1.web.1', cls.origin)
        cls.world.wait_units('blog', 'blog_v1.web.1')

    @classmethod
    def change(cls, act):
        """act() changes the table: until all workers use the new one."""
        before = cls.router.routes()['generation']
        act()

        def taken():
            r = cls.router.routes()
            return r['generation'] > before and r['adopted'] == r['generation']
        rig.wait_for(taken, 'the workers use the new table')

    @classmethod
    def platform(cls, key, value):
        cls.change(lambda: cls.etcd.put('config/router/' + key, value) if value is not None
                   else cls.etcd.delete('config/router/' + key))

    def setUp(self):
        self.origin.pieces = []

    def app(self, settings):
        self.change(lambda: self.etcd.put('routing/blog', {'settings': settings}))

    def ask(self, reply, extra=TAKES, method='GET', c=None, version='1.1', path='/reply'):
        self.origin.reply = reply
        own = c or rig.Client(self.router.http)
        try:
            own.send(('%s %s HTTP/%s\r\nHost: %s\r\n%s\r\n' % (method, path, version, HOST, extra)).encode())
            return own.answer(head_only=method == 'HEAD')
        finally:
            if not c:
                own.close()

    def is_zipped(self, got, body):
        status, fields, data = got
        self.assertEqual(fields.get('content-encoding'), 'gzip')
        self.assertNotIn('content-length', fields)
        self.assertEqual(unzip(data), body)

    def is_plain(self, got, body):
        status, fields, data = got
        self.assertNotIn('content-encoding', fields)
        self.assertEqual(data, body)


class On(Rig):
    """The platform has it on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.platform('gzip', 'on')

    def test_an_answer(self):
        with rig.Client(self.router.http) as c:
            for _ in range(3):  # the connection goes on, and so do compressors
                got = self.ask(whole(TEXT, ETag='"v1"', Accept_Ranges='bytes', Vary='Cookie', Content_MD5='x', X_Other='y'), c=c)
                self.is_zipped(got, TEXT)
                fields = got[1]
                self.assertLess(len(got[2]), len(TEXT) / 2)
                self.assertEqual((fields['vary'], fields['etag'], fields['x-other']), ('Cookie, Accept-Encoding', 'W/"v1"', 'y'))
                for gone in 'accept-ranges', 'content-md5':
                    self.assertNotIn(gone, fields)
        self.assertIn(('Accept-Encoding', 'gzip'), self.origin.requests[-1][1])  # the app may do it itself

    def test_who_does_not_take_it_gets_it_plain_and_caches_know(self):
        got = self.ask(whole(TEXT, ETag='"v1"', Accept_Ranges='bytes'), '')
        self.is_plain(got, TEXT)
        self.assertEqual((got[1]['vary'], got[1]['etag'], got[1]['accept-ranges']), ('Accept-Encoding', '"v1"', 'bytes'))
        self.assertEqual(got[1]['content-length'], str(len(TEXT)))

    def test_sizes_and_framings(self):
        r = random.Random(7)
        bodies = [TEXT, b'x' * 256, b'y' * 1000000, r.randbytes(257), r.randbytes(98304), r.randbytes(700001), TEXT * 60]
        for body in bodies:
            with self.subTest(len(body)):
                self.is_zipped(self.ask(whole(body)), body)
                cuts = sorted(r.randrange(len(body)) for _ in range(6))
                pieces = [p for p in (body[a:b] for a, b in zip([0] + cuts, cuts + [len(body)])) if p]
                self.is_zipped(self.ask(chunked(pieces)), body)
                self.is_zipped(self.ask(head(Content_Type='text/plain') + body), body)
        self.is_zipped(self.ask(chunked([])), b'')  # nobody knew

    def test_what_is_passed_as_it_is(self):
        plain = {
            'short': whole(b'x' * 255),
            'empty': whole(b''),
            'image': whole(TEXT, Content_Type='image/png'),
            'no type': whole(TEXT, Content_Type=None),
            'coded': whole(TEXT, Content_Encoding='br'),
            'not to be touched': whole(TEXT, Cache_Control='public, no-transform'),
            'what it would become goes no further': whole(TEXT, Connection='Content-Encoding'),
            'a part': whole(TEXT, '206 Partial Content', Content_Range='bytes 0-%d/99999' % (len(TEXT) - 1)),
            'no content': head('204 No Content', Content_Type='text/plain'),
        }
        for name, reply in plain.items():
            with self.subTest(name):
                status, fields, body = self.ask(reply)
                sent = reply.split(b'\r\n\r\n', 1)[1]
                self.assertEqual(body, sent)
                self.assertNotEqual(fields.get('content-encoding'), 'gzip')
                self.assertEqual(fields.get('content-length'), str(len(sent)) if status != 204 else None)
                self.assertEqual(fields.get('vary'), 'Accept-Encoding' if name == 'a part' else None)
        for extra in 'Range: bytes=0-9\r\n', 'Cache-Control: no-transform\r\n':
            self.is_plain(self.ask(whole(TEXT), TAKES + extra), TEXT)

    def test_errors_of_the_app_are_compressed_too(self):
        got = self.ask(whole(TEXT, '404 Not Found', Content_Type='text/html; charset=utf-8'))
        self.assertEqual(got[0], 404)
        self.is_zipped(got, TEXT)

    def test_hostile_accept_encoding(self):
        yes = ['gzip', 'GZip ; Q=0.001', 'x-gzip', '*', 'br;q=1, *;q=0.1', ',,,,gzip,,', ('a,' * 10000) + 'gzip', 'a;q=0.1\r\nAccept-Encoding: gzip']
        no = ['', ',', ';', 'gzip;q=0', 'gzip;q=0.0001', 'gzip;q=1.1', 'gzip;q=nan', 'gzip;q=-1', 'gzip;q', 'gzip;;', 'gzip;level=9', '"gzip"', 'gzip/1',
              'g zip', 'gzip gzip', 'gzip;q=0, *', '*;q=0', 'identity', 'identity, gzip;q=0.9', 'gzip, gzip;q=0', 'gzip' * 5000, ';' * 20000, 'gzi\xff',
              'gzip;q=0\r\nAccept-Encoding: gzip']
        with rig.Client(self.router.http) as c:
            for value in yes:
                with self.subTest(value[:80]):
                    self.is_zipped(self.ask_raw(c, value), TEXT)
            for value in no:
                with self.subTest(value[:80]):
                    self.is_plain(self.ask_raw(c, value), TEXT)

    def ask_raw(self, c, value):
        self.origin.reply = whole(TEXT)
        c.send(('GET /reply HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: %s\r\n\r\n' % (HOST, value)).encode('latin-1'))
        return c.answer()

    def test_HEAD_says_what_GET_does(self):
        reply = whole(TEXT, ETag='"v1"')
        got = self.ask(reply)[1]
        with rig.Client(self.router.http) as c:
            for _ in range(2):
                said = self.ask(reply.split(b'\r\n\r\n')[0] + b'\r\n\r\n', method='HEAD', c=c)[1]
                got.pop('transfer-encoding', None)
                self.assertEqual(said, got)

    def test_not_modified(self):
        got = self.ask(head('304 Not Modified', ETag='"v1"'), TAKES + 'If-None-Match: W/"v1"\r\n')
        self.assertEqual((got[0], got[1]['etag'], got[1]['vary']), (304, 'W/"v1"', 'Accept-Encoding'))
        got = self.ask(head('304 Not Modified', ETag='"v1"'), TAKES + 'If-None-Match: "v1"\r\n')
        self.assertEqual((got[0], got[1]['etag']), (304, '"v1"'))

    def test_HTTP_1_0(self):
        self.is_plain(self.ask(whole(TEXT), version='1.0'), TEXT)
        self.platform('gzipHttpVersion', '1.0')
        self.addCleanup(self.platform, 'gzipHttpVersion', None)
        got = self.ask(whole(TEXT), version='1.0')
        self.is_zipped(got, TEXT)
        self.assertEqual(got[1]['connection'], 'close')
        self.is_zipped(self.ask(whole(TEXT), version='1.1'), TEXT)

    def stream(self, frame, seen, zipped):
        """Each piece is there, decoded, before the next one is sent."""
        said = b''
        for word in b'one ', b'two ' * 50, b'\n':
            said += word
            self.origin.say(frame(word))
            while len(zipped()) < len(said):
                seen()
            self.assertEqual(zipped(), said)

    def test_a_stream_is_not_held_back(self):
        """Server-sent events, say."""
        self.platform('gzipTypes', 'text/event-stream')
        self.addCleanup(self.platform, 'gzipTypes', None)
        for framing in 'chunked', None:
            with self.subTest(framing), rig.Client(self.router.http) as c:
                self.origin.pieces = []
                self.origin.reply = head(Content_Type='text/event-stream', Transfer_Encoding=framing)
                c.send(('GET /stream HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (HOST, TAKES)).encode())
                self.assertIn(b'Content-Encoding: gzip', c.until(b'\r\n\r\n'))
                d, out = zlib.decompressobj(31), bytearray()

                def chunk():
                    n = int(c.until(b'\r\n'), 16)
                    out.extend(d.decompress(c.take(n + 2)[:-2]))
                    return n
                frame = (lambda p: b'%x\r\n%s\r\n' % (len(p), p)) if framing else (lambda p: p)
                self.stream(frame, chunk, lambda: bytes(out))
                if framing:
                    self.origin.say(b'0\r\n\r\n')
                self.origin.say(None)
                while chunk() > 0:
                    pass
                self.assertTrue(d.eof)

    def test_many_that_end_at_once(self):
        """More than are kept for later answers."""
        self.origin.reply = head(Content_Type='text/plain', Transfer_Encoding='chunked')
        clients = [rig.Client(self.router.http) for _ in range(40)]
        for c in clients:
            self.addCleanup(c.close)
            c.send(('GET /stream HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (HOST, TAKES)).encode())
        self.origin.say(b'4\r\nword\r\n')
        for c in clients:
            while b'\r\n\r\n' not in c.buf:
                self.assertTrue(c.more())
        self.origin.say(b'0\r\n\r\n')
        self.origin.say(None)
        for c in clients:
            self.is_zipped(c.answer(), b'word')

    def test_an_answer_that_breaks_off(self):
        for framing in {'Transfer_Encoding': 'chunked'}, {'Content_Length': 100000}:
            with self.subTest(framing), rig.Client(self.router.http) as c:
                self.origin.pieces = []
                self.origin.reply = head(Content_Type='text/plain', **framing)
                c.send(('GET /stream HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (HOST, TAKES)).encode())
                self.origin.say(b'4\r\nword\r\n')
                self.origin.say(None)
                with self.assertRaises((EOFError, ConnectionError)):
                    c.answer()
        self.is_zipped(self.ask(whole(TEXT)), TEXT)

    def test_a_client_that_does_not_read(self):
        body = random.Random(3).randbytes(24 << 20)
        with rig.Client(self.router.http) as c:
            self.origin.reply = whole(body)
            c.send(('GET /reply HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (HOST, TAKES)).encode())
            self.assertIn(b'gzip', c.until(b'\r\n\r\n'))
            rig.wait_for(lambda: self.router.metric('deis_router_buffer_bytes') > 0, 'the client does not take all')
            self.assertLess(self.router.metric('deis_router_buffer_bytes'), 1 << 20)
            d, out = zlib.decompressobj(31), []
            while True:
                n = int(c.until(b'\r\n'), 16)
                piece = c.take(n + 2)[:-2]
                if n == 0:
                    break
                out.append(d.decompress(piece))
            self.assertTrue(d.eof)
            self.assertEqual(b''.join(out), body)

    def test_a_client_that_leaves(self):
        """Its unit is told, and its compressor is another's."""
        for _ in range(300):  # more than both workers may have at once
            with rig.Client(self.router.http) as c:
                c.send(('GET /endless HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (HOST, TAKES)).encode())
                self.assertIn(b'Content-Encoding: gzip', c.until(b'\r\n\r\n'))
        self.is_zipped(self.ask(whole(TEXT)), TEXT)

    def test_HTTP_2(self):
        c = h2.plain(self.router.http, HOST)
        self.addCleanup(c.close)
        big = random.Random(5).randbytes(300000) + TEXT * 20
        for reply, body in (whole(TEXT, ETag='"v1"'), TEXT), (chunked([TEXT, TEXT]), TEXT * 2), (whole(big), big):
            self.origin.reply = reply
            a = c.get('/reply', accept_encoding='gzip')
            self.assertEqual((a.status, a.fields['content-encoding'], a.fields['vary']), (200, 'gzip', 'Accept-Encoding'))
            self.assertNotIn('content-length', a.fields)
            self.assertEqual(unzip(a.body), body)
            a = c.get('/reply')
            self.assertEqual((a.body, a.fields.get('content-encoding')), (body, None))
        self.origin.reply = head(Content_Type='text/plain', Content_Length=1000)
        a = c.get('/reply', method='HEAD', accept_encoding='gzip')
        self.assertEqual((a.fields['content-encoding'], a.fields.get('content-length'), a.body), ('gzip', None, b''))

    def test_HTTP_2_streams_each_piece(self):
        c = h2.plain(self.router.http, HOST)
        self.addCleanup(c.close)
        self.origin.reply = head(Content_Type='text/plain', Transfer_Encoding='chunked')
        sid = c.open(path='/stream', accept_encoding='gzip')
        a = c.head(sid)
        self.assertEqual(a.fields['content-encoding'], 'gzip')
        self.stream(lambda p: b'%x\r\n%s\r\n' % (len(p), p), c.step, lambda: zlib.decompressobj(31).decompress(a.body))
        self.origin.say(b'0\r\n\r\n')
        c.answer(sid)
        unzip(a.body)

    def test_what_it_counts(self):
        rig.wait_for(lambda: self.router.metric('deis_router_app_in_flight{app="blog"}') == 0, 'those before are counted')
        before = self.router.metric('deis_router_app_sent_bytes_total{app="blog"}')
        count = self.router.metric('deis_router_gzip_answers_total{outcome="compressed"}')
        with rig.Client(self.router.http) as c:
            size = len(self.ask(whole(TEXT), c=c)[2])
            self.is_plain(self.ask(whole(b'x'), '', c=c), b'x')  # the former is over
        rig.wait_for(lambda: self.router.metric('deis_router_app_sent_bytes_total{app="blog"}') - before == size + 1, 'both are counted')
        self.assertEqual(self.router.metric('deis_router_gzip_answers_total{outcome="compressed"}') - count, 1)

    def test_units_that_speak_HTTP_2(self):
        unit = Talker()
        self.addCleanup(unit.close)
        self.world.app('talk')
        self.etcd.put('routing/talk', {'settings': {'h2c': True}})
        self.world.unit('talk_v1.web.1')
        self.world.state('talk_v1.web.1', unit.address)
        self.world.wait_status('talk.example.com', 200)  # its setting is known, too
        status, fields, body = rig.get(self.router.http, 'talk.example.com', '/text', TAKES)
        self.assertEqual((status, fields['content-encoding'], unzip(body)), (200, 'gzip', TEXT))
        c = h2.plain(self.router.http, 'talk.example.com')
        self.addCleanup(c.close)
        a = c.get('/text', accept_encoding='gzip', te='trailers')
        self.assertEqual((a.fields['content-encoding'], unzip(a.body)), ('gzip', TEXT))
        self.assertEqual(dict(a.heads[-1]), {'x-sum': 'fine'})
        a = c.get('/nothing', accept_encoding='gzip')
        self.assertEqual((a.status, a.body, a.fields.get('content-encoding')), (200, b'', None))

    def test_the_API_is_never_compressed(self):
        self.etcd.put('services/controller/c1', {'http': self.origin.address, 'bus': 'tcp://127.0.0.1:1'})
        self.world.wait_status('deis.example.com', 200)
        self.origin.reply = whole(TEXT)
        got = rig.get(self.router.http, 'deis.example.com', '/reply', TAKES)
        self.is_plain(got, TEXT)
        self.assertNotIn('vary', got[1])

    def test_settings_of_the_platform(self):
        def under(key, value, reply, extra=TAKES):
            self.platform(key, value)
            try:
                return self.ask(reply, extra)
            finally:
                self.platform(key, None)
        sizes = [len(under('gzipCompLevel', level, whole(TEXT * 4))[2]) for level in ('1', '9')]
        self.assertLess(sizes[1], sizes[0])
        self.is_zipped(under('gzipMinLength', '20', whole(b'x' * 20)), b'x' * 20)
        self.is_plain(under('gzipMinLength', '1m', whole(TEXT)), TEXT)
        self.is_zipped(under('gzipTypes', 'image/x', whole(TEXT, Content_Type='Image/X')), TEXT)
        self.is_plain(under('gzipTypes', 'image/x', whole(TEXT)), TEXT)
        self.is_zipped(under('gzipTypes', '*', whole(TEXT, Content_Type='what/ever')), TEXT)
        got = under('gzipVary', 'off', whole(TEXT))
        self.is_zipped(got, TEXT)
        self.assertNotIn('vary', got[1])
        self.is_plain(under('gzipProxied', 'off', whole(TEXT), TAKES + 'Via: 1.1 x\r\n'), TEXT)
        self.is_zipped(self.ask(whole(TEXT), TAKES + 'Via: 1.1 x\r\n'), TEXT)
        self.is_plain(under('gzipDisable', 'OldBrowser/1', whole(TEXT), TAKES + 'User-Agent: x oldbrowser/1.5\r\n'), TEXT)

    def test_bad_settings_are_told_and_change_nothing(self):
        for key, value in {'gzip': 'perhaps', 'gzipCompLevel': '10', 'gzipTypes': 'css', 'gzipHttpVersion': '3', 'gzipProxied': 'expired',
                           'gzipDisable': 'MSIE [4-6]', 'gzipMinLength': 'few', 'gzipVary': '2'}.items():
            self.etcd.put('config/router/' + key, value)
            rig.wait_for(lambda: 'key=' + key in self.router.log(), 'the fault of %s is logged' % key)
            self.etcd.put('config/router/gzip', 'on') if key == 'gzip' else self.etcd.delete('config/router/' + key)
        got = self.ask(whole(TEXT))
        self.is_zipped(got, TEXT)

    def test_an_app_may_have_it_off(self):
        self.app({'gzip': False})
        self.addCleanup(self.app, {})
        got = self.ask(whole(TEXT))
        self.is_plain(got, TEXT)
        self.assertNotIn('vary', got[1])


class Talker(unit_h2_test.Unit):
    """Speaks HTTP/2."""

    def serve(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=TalkerConnection(self, c).run, daemon=True).start()


class TalkerConnection(unit_h2_test.Connection):
    def answer_text(self, sid):
        self.head(sid, [(':status', '200'), ('content-type', 'text/plain'), ('content-length', str(len(TEXT)))])
        for i in range(0, len(TEXT), 5000):
            self.frame(h2.DATA, 0, sid, TEXT[i:i + 5000])
        self.head(sid, [('x-sum', 'fine')], end=True)
        return True

    def answer_nothing(self, sid):
        self.head(sid, [(':status', '200'), ('content-type', 'text/plain')], end=True)
        return True


class Off(Rig):
    """It is off unless it was switched on, and stays as it was set."""

    def test_off_by_default_and_on_for_an_app(self):
        got = self.ask(whole(TEXT, ETag='"v1"'))
        self.is_plain(got, TEXT)
        self.assertEqual((got[1].get('vary'), got[1]['etag']), (None, '"v1"'))
        self.app({'gzip': True})
        self.is_zipped(self.ask(whole(TEXT)), TEXT)
        self.app({})
        self.is_plain(self.ask(whole(TEXT)), TEXT)

    def restart(self, **settings):
        """With these settings of the platform on disk: a router goes by them until etcd has told it all."""
        for name, value in settings.items():
            path = os.path.join(self.router.dir, 'kept', hashlib.sha256(('config/router/' + name).encode()).hexdigest())
            rig.wait_for(lambda: etcd_test.text_of(path).endswith('\n' + value), '%s=%s is on disk' % (name, value))
        self.assertEqual(self.router.stop(), 0)
        self.router.start()

    def wait_etcd(self, times):
        """Until the router has read all of it, so many times since the first start."""
        rig.wait_for(lambda: self.router.log().count('routes are known') == times, 'etcd is read')

    def test_settings_survive_a_restart_with_and_without_etcd(self):
        self.platform('gzip', 'on')
        self.platform('gzipMinLength', '10k')
        self.restart(gzip='on', gzipMinLength='10k')
        self.wait_etcd(2)
        self.is_zipped(self.ask(whole(TEXT)), TEXT)
        self.is_plain(self.ask(whole(TEXT[:9999])), TEXT[:9999])
        self.platform('gzip', 'off')
        self.restart(gzip='off')
        self.wait_etcd(3)
        self.is_plain(self.ask(whole(TEXT)), TEXT)
        self.assertEqual(self.etcd.get('config/router/gzip'), 'off')
        self.platform('gzip', 'on')
        self.etcd.stop()
        self.addCleanup(self.etcd.start)
        self.restart(gzip='on')
        self.is_zipped(self.ask(whole(TEXT)), TEXT)
        self.is_plain(self.ask(whole(TEXT[:9999])), TEXT[:9999])


class Crowd(Rig):
    """As many compressors as there may be."""

    def setUp(self):
        super().setUp()
        self.router.clear()
        type(self).router = self.world.router = rig.Static([(HOST, self.origin.port)], '--gzip', 'on', workers=1)
        self.router.start()

    def test_beyond_them_answers_go_plain(self):
        clients = []
        self.addCleanup(lambda: [c.close() for c in clients])
        for i in range(129):
            c = rig.Client(self.router.http)
            clients.append(c)
            c.send(('GET /endless HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (HOST, TAKES)).encode())
            said = c.until(b'\r\n\r\n')
            self.assertEqual(b'Content-Encoding: gzip' in said, i < 128, i)
            self.assertIn(b'Vary: Accept-Encoding', said)
        self.assertEqual(self.router.metric('deis_router_gzip_answers_total{outcome="no_room"}'), 1)
        self.is_plain(self.ask(whole(TEXT)), TEXT)
        clients[0].close()
        with self.origin.said:
            self.assertTrue(self.origin.said.wait_for(lambda: self.origin.left > 0, rig.DEADLINE))
        self.is_zipped(self.ask(whole(TEXT)), TEXT)


if __name__ == '__main__':
    unittest.main(verbosity=2)
