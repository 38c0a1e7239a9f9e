# SPDX-License-Identifier: MIT
"""HTTPS at the router: whose certificate a name gets, resumption, certificates that come and go, policy, limits."""
import contextlib
import ctypes
import json
import os
import re
import secrets
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import rig

SEAL = os.path.join(rig.BIN, '..', 'tests', 'router_seal')


class Authority:
    """Certificates that its `file` vouches for."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='deis-ca.')
        self.file = self.path('ca.pem')
        self.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
                     '/CN=test authority', '-keyout', self.path('ca.key'), '-out', self.file)
        self.count = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def openssl(self, *args):
        subprocess.run(['openssl', *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, *names, days=1, kind=('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'), responder=None):
        """(file of the certificate, file of the key); its organisation says which one it is."""
        self.count += 1
        base = self.path(str(self.count))
        with open(base + '.ext', 'w') as f:
            f.write('subjectAltName=' + ','.join('DNS:' + n for n in names) + '\n')
            if responder:
                f.write('authorityInfoAccess=OCSP;URI:%s\n' % responder)
        self.openssl('req', *kind, '-nodes', '-subj', '/O=%d/CN=%s' % (self.count, names[0][:60]), '-keyout', base + '.key',
                     '-out', base + '.csr')
        self.openssl('x509', '-req', '-in', base + '.csr', '-CA', self.file, '-CAkey', self.path('ca.key'), '-CAcreateserial',
                     '-days', str(days), '-extfile', base + '.ext', '-out', base + '.pem')
        return base + '.pem', base + '.key'

    def serial(self, pair):
        out = subprocess.run(['openssl', 'x509', '-noout', '-serial', '-in', pair[0]], check=True, capture_output=True)
        return out.stdout.decode().strip().split('=')[1]

    def context(self, **kw):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.load_verify_locations(self.file)
        for name, value in kw.items():
            setattr(c, name, value)
        return c

    def clear(self):
        shutil.rmtree(self.dir)


def text(path):
    with open(path) as f:
        return f.read()


def which(s):
    """Number of the certificate that a connection got."""
    return int(dict(part[0] for part in s.getpeercert()['subject'])['organizationName'])


class Client(rig.Client):
    """A client over TLS. server_name NONE: it sends no name and checks none."""

    def __init__(self, port, context, server_name, session=None):
        super().__init__(port)
        try:
            self.s = context.wrap_socket(self.s, server_hostname=server_name, session=session,
                                         suppress_ragged_eofs=False)
        except BaseException:
            self.s.close()
            raise

    def more(self):
        try:
            return super().more()
        except ssl.SSLEOFError:
            raise EOFError('closed without a word')


class Https(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ca = Authority()

    @classmethod
    def tearDownClass(cls):
        cls.ca.clear()

    def client(self, host, context=None, session=None, port=None):
        c = Client(port or self.https, context or self.ca.context(), host, session)
        self.addCleanup(c.close)
        return c

    def refusal(self, host, context=None):
        """The alert that ends the handshake."""
        try:
            self.client(host, context).close()
        except (ssl.SSLError, ConnectionResetError) as e:
            return str(e).upper().replace(' ', '_')
        raise AssertionError('accepted')

    def get(self, host, path='/', extra='', method='GET', body=b'', c=None):
        c = c or self.client(host)
        c.send(('%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (method, path, host, extra)).encode() + body)
        return c.answer(head_only=method == 'HEAD')


class Static(Https):
    """--cert and --key, without etcd."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.https = rig.free_port()
        cls.pair = cls.ca.issue('*.site.test', 'site.test')
        cls.origin = rig.Origin()
        cls.router = rig.Static([('app.site.test', cls.origin.port), ('other.example', cls.origin.port)], '--https',
                                '127.0.0.1:%d' % cls.https, '--cert', cls.pair[0], '--key', cls.pair[1], '--body-size', '64m',
                                '--cluster-key', '/nonexistent').start()

    @classmethod
    def tearDownClass(cls):
        cls.router.clear()
        cls.origin.close()
        super().tearDownClass()

    def test_names(self):
        for host in ('app.site.test', 'APP.Site.test', 'nobody.site.test', 'site.test'):
            self.client(host)
        for host in ('other.example', 'a.b.site.test', 'localhost', 'x' * 60):
            self.assertIn('UNRECOGNIZED_NAME', self.refusal(host), host)

    def test_no_name_gets_the_platforms_certificate(self):
        c = self.client(None, self.ca.context(check_hostname=False))
        self.assertEqual(self.get('app.site.test', c=c)[0], 200)

    def test_the_app_is_told(self):
        status, fields, body = self.get('app.site.test', '/a', 'X-Forwarded-Proto: http\r\nX-Forwarded-Port: 1\r\n')
        self.assertEqual(status, 200)
        self.assertNotIn('strict-transport-security', fields)
        fields = dict(self.origin.requests[-1][1])
        self.assertEqual((fields['X-Forwarded-Proto'], fields['X-Forwarded-Port']), ('https', str(self.https)))
        self.assertIn('protocol=https', self.router.lines(fields['X-Request-Id'])[0])
        rig.get(self.router.http, 'app.site.test')
        fields = dict(self.origin.requests[-1][1])
        self.assertEqual((fields['X-Forwarded-Proto'], fields['X-Forwarded-Port']), ('http', str(self.router.http)))

    def test_versions(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, 'TLSv1.2'), (ssl.TLSVersion.TLSv1_3, 'TLSv1.3')):
            c = self.client('app.site.test', self.ca.context(minimum_version=version, maximum_version=version))
            self.assertEqual(c.s.version(), name)
            self.assertEqual(self.get('app.site.test', c=c)[0], 200)
        out = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % self.https, '-servername', 'app.site.test', '-tls1_1',
                              '-cipher', 'ALL:@SECLEVEL=0'], input=b'', capture_output=True)
        self.assertNotEqual(out.returncode, 0)
        self.assertIn(b'alert protocol version', out.stderr)

    def test_alpn(self):
        for offer, chosen in ((['http/1.1'], 'http/1.1'), (['h2', 'http/1.1'], 'h2'), (['http/1.1', 'h2'], 'h2'), ([], None)):
            context = self.ca.context()
            if offer:
                context.set_alpn_protocols(offer)
            self.assertEqual(self.client('app.site.test', context).s.selected_alpn_protocol(), chosen)
        context = self.ca.context()
        context.set_alpn_protocols(['http/1.0', 'h3'])
        self.assertIn('NO_APPLICATION_PROTOCOL', self.refusal('app.site.test', context))

    def test_keep_alive_and_pipelining(self):
        c = self.client('app.site.test')
        for i in range(3):
            self.assertEqual(self.get('app.site.test', c=c)[2], b'origin')
        c.send(b'GET /slow/0.05 HTTP/1.1\r\nHost: app.site.test\r\n\r\n' * 2 + b'GET /status/204 HTTP/1.1\r\nHost: app.site.test\r\n\r\n')
        self.assertEqual([c.answer()[0] for i in range(3)], [200, 200, 204])
        # Many records at once, so that the last request is in the library when the socket has nothing.
        for i in range(20):
            c.send(b'GET / HTTP/1.1\r\nHost: app.site.test\r\n\r\n')
        self.assertEqual([c.answer()[0] for i in range(20)], [200] * 20)

    def test_bytes_one_by_one(self):
        c = self.client('app.site.test')
        for b in b'POST /echo HTTP/1.1\r\nHost: app.site.test\r\nContent-Length: 3\r\n\r\nabc':
            c.send(bytes([b]))
        self.assertEqual(c.answer()[2], b'abc')

    def test_large_bodies_both_ways(self):
        body = secrets.token_bytes(1 << 20) * 8
        c = self.client('app.site.test')
        status, fields, got = self.get('app.site.test', '/echo', 'Content-Length: %d\r\n' % len(body), 'POST', body, c)
        self.assertEqual(got, body)
        c = self.client('app.site.test')
        status, fields, got = self.get('app.site.test', '/big/30000000', c=c)
        self.assertEqual(len(got), 30000000)
        self.assertEqual(got[:65536 * 4], bytes(range(256)) * 1024)
        self.assertEqual(self.get('app.site.test', c=c)[0], 200)
        c.send(b'POST /echo-chunked HTTP/1.1\r\nHost: app.site.test\r\nTransfer-Encoding: chunked\r\n\r\n')
        for i in range(0, 400000, 40000):
            c.send(b'%x\r\n' % 40000 + body[i:i + 40000] + b'\r\n')
        c.send(b'0\r\n\r\n')
        self.assertEqual(c.answer()[2], body[:400000])

    def test_slow_reader_gets_all(self):
        c = self.client('app.site.test')
        c.send(b'GET /big/8000000 HTTP/1.1\r\nHost: app.site.test\r\n\r\n')
        time.sleep(0.3)
        self.assertEqual(len(c.answer()[2]), 8000000)

    def test_end_is_said(self):
        c = self.client('app.site.test')
        c.send(b'GET /until-close HTTP/1.0\r\nHost: app.site.test\r\n\r\n')
        self.assertEqual(c.answer()[2], b'all of it')
        # An answer that broke off does not look like one that ended.
        c = self.client('app.site.test')
        c.send(b'GET /short-chunked HTTP/1.0\r\nHost: app.site.test\r\n\r\n')
        with self.assertRaises((EOFError, ConnectionResetError)):
            c.answer()

    def test_websocket(self):
        c = self.client('app.site.test')
        c.send(b'GET /ws HTTP/1.1\r\nHost: app.site.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n')
        self.assertEqual(c.answer()[0], 101)
        self.assertEqual(rig.ws_read(c.take), (1, b'hello'))
        for size in (1, 100, 70000, 900000):
            data = secrets.token_bytes(size)
            c.send(rig.ws_frame(data, 2, b'abcd'))
            self.assertEqual(rig.ws_read(c.take), (2, data))
        c.send(rig.ws_frame(b'', 8, b'abcd'))
        self.assertEqual(rig.ws_read(c.take)[0], 8)
        self.assertEqual(c.rest(), b'')

    def test_garbage_and_plain_http_are_cut(self):
        for data in (b'GET / HTTP/1.1\r\nHost: app.site.test\r\n\r\n', secrets.token_bytes(500), b'\x16\x03\x01\xff\xff' + b'a' * 65535):
            with rig.Client(self.https) as c:
                try:
                    c.send(data)
                    while c.s.recv(4096):
                        pass
                except (ConnectionResetError, BrokenPipeError):
                    pass
        self.assertEqual(self.get('app.site.test')[0], 200)

    def test_bad_sni_is_refused(self):
        hello = bytes.fromhex('0303') + bytes(32) + b'\0' + b'\0\2\x13\x01' + b'\1\0'
        sni = b'\0\0' + b'\0\x06' + b'\0\x0a\0\0\x01a'  # the list is longer than the extension
        hello += len(sni).to_bytes(2, 'big') + sni
        body = b'\x01' + len(hello).to_bytes(3, 'big') + hello
        with rig.Client(self.https) as c:
            c.send(b'\x16\x03\x01' + len(body).to_bytes(2, 'big') + body)
            self.assertEqual(c.take(7)[5:], b'\x02\x32')  # fatal, decode_error

    def test_a_slow_handshake_is_cut(self):
        """Though it never pauses."""
        begun = time.monotonic()
        with rig.Client(self.https) as c:
            for b in b'\x16\x03\x01\x02\0\1\0\1\xfc\3\3' + bytes(200):
                c.send(bytes([b]))
                if select.select([c.s], [], [], 0.5)[0]:
                    break
            self.assertTrue(c.closed())
        self.assertGreater(time.monotonic() - begun, 8)
        self.assertEqual(self.get('app.site.test')[0], 200)

    def test_a_client_that_only_shakes_hands_gets_its_ticket(self):
        context = self.ca.context(minimum_version=ssl.TLSVersion.TLSv1_3)
        sent, got = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(got, sent, server_hostname='app.site.test')
        with rig.Client(self.https) as c:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    c.s.sendall(sent.read())
                    got.write(c.s.recv(65536))
            c.s.sendall(sent.read())
            while not got.pending:
                got.write(c.s.recv(65536))
            with self.assertRaises(ssl.SSLWantReadError):
                tls.read(1)
            self.assertTrue(tls.session.has_ticket)

    def test_keys_that_change_again_and_again(self):
        """Which costs a client nothing: it is let go."""
        ssl3, crypto, pointer = ctypes.CDLL('libssl.so.3'), ctypes.CDLL('libcrypto.so.3'), ctypes.c_void_p
        for function in (ssl3.TLS_client_method, ssl3.SSL_CTX_new, ssl3.SSL_new, crypto.BIO_new, crypto.BIO_s_mem):
            function.restype = pointer
        context = pointer(ssl3.SSL_CTX_new(pointer(ssl3.TLS_client_method())))
        tls = pointer(ssl3.SSL_new(context))
        into, out = (pointer(crypto.BIO_new(pointer(crypto.BIO_s_mem()))) for _ in '12')
        ssl3.SSL_set_bio(tls, into, out)
        ssl3.SSL_ctrl(tls, 55, ctypes.c_long(0), b'app.site.test')  # SSL_CTRL_SET_TLSEXT_HOSTNAME
        ssl3.SSL_set_connect_state(tls)
        buf = ctypes.create_string_buffer(1 << 20)

        def written():
            n = crypto.BIO_read(out, buf, len(buf))
            return buf.raw[:max(0, n)]
        with socket.create_connection(('127.0.0.1', self.https), rig.DEADLINE) as s:
            while ssl3.SSL_do_handshake(tls) != 1:
                s.sendall(written())
                data = s.recv(65536)
                self.assertTrue(data)
                crypto.BIO_write(into, data, len(data))
            s.sendall(written())
            for _ in range(20000):
                self.assertEqual((ssl3.SSL_key_update(tls, 0), ssl3.SSL_do_handshake(tls)), (1, 1))
            request = b'GET / HTTP/1.1\r\nHost: app.site.test\r\nConnection: close\r\n\r\n'
            self.assertEqual(ssl3.SSL_write(tls, request, len(request)), len(request))
            with contextlib.suppress(ConnectionError):
                s.sendall(written())
                while data := s.recv(65536):
                    crypto.BIO_write(into, data, len(data))
            self.assertLessEqual(ssl3.SSL_read(tls, buf, len(buf)), 0)  # it has got no answer
        ssl3.SSL_free(tls)
        ssl3.SSL_CTX_free(context)

    def test_cipher_suites(self):
        for args, suite in ((['-tls1_3'], b'TLS_AES_128_GCM_SHA256'), (['-tls1_2'], b'ECDHE-ECDSA-AES'),
                            (['-tls1_3', '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'], b'TLS_CHACHA20'),
                            (['-tls1_3', '-ciphersuites', 'TLS_AES_256_GCM_SHA384'], b'TLS_AES_256_GCM_SHA384'),
                            (['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA'], None)):
            out = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % self.https, '-servername', 'app.site.test',
                                  '-brief', *args], input=b'', capture_output=True)
            if suite:
                self.assertIn(b'Ciphersuite: ' + suite, out.stderr)
            else:
                self.assertIn(b'handshake failure', out.stderr)

    def test_key_exchange(self):
        for groups, key in (('X25519', b'X25519'), ('P-384', b'secp384r1'), ('ffdhe8192:P-256', b'prime256v1'),
                            ('ffdhe2048', None), ('ffdhe8192', None)):
            out = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % self.https, '-servername', 'app.site.test',
                                  '-brief', '-tls1_3', '-groups', groups], input=b'', capture_output=True)
            if key:
                self.assertRegex(out.stderr, b'Server Temp Key: .*' + key)
            else:
                self.assertIn(b'handshake failure', out.stderr)

    def test_tickets_work_at_every_worker(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.ca.context(minimum_version=version, maximum_version=version)
            c = self.client('app.site.test', context)
            self.get('app.site.test', c=c)
            session = c.s.session
            for i in range(20):
                again = self.client('app.site.test', context, session)
                self.assertTrue(again.s.session_reused)
                self.assertEqual(self.get('app.site.test', c=again)[0], 200)
                session = again.s.session
            if version == ssl.TLSVersion.TLSv1_3:
                self.assertNotEqual(session.id, c.s.session.id)


class Responder:
    """An OCSP responder of the authority, openssl's own; `states` maps serial numbers to V(alid) or R(evoked)."""

    def __init__(self, ca):
        self.ca = ca
        self.port = rig.free_port()
        self.url = 'http://127.0.0.1:%d' % self.port
        self.p = None

    def start(self, states):
        with open(self.ca.path('index'), 'w') as f:
            for serial, state in states.items():
                f.write('%s\t351231235959Z\t%s\t%s\tunknown\t/CN=x\n' % (state, '250101000000Z' if state == 'R' else '', serial))
        said = self.ca.path('responder')
        with open(said, 'w') as out:
            self.p = rig.spawn(['openssl', 'ocsp', '-index', self.ca.path('index'), '-port', str(self.port), '-rsigner',
                                self.ca.file, '-rkey', self.ca.path('ca.key'), '-CA', self.ca.file, '-nmin', '5', '-ignore_err'],
                               stdout=out, stderr=out)
        # A connection without a request would block it.
        rig.wait_for(lambda: 'waiting for OCSP' in text(said) or self.p.poll() is not None, 'responder starts: ' + text(said))
        if self.p.poll() is not None:
            raise AssertionError('responder ended: ' + text(said))
        return self

    def stop(self):
        if self.p:
            self.p.kill()
            self.p.wait()
            self.p = None


class Refusals(Https):
    def test_without_a_certificate_nothing_is_accepted(self):
        self.https = rig.free_port()
        router = rig.Static([('app.test', 1)], '--https', '127.0.0.1:%d' % self.https).start()
        self.addCleanup(router.clear)
        self.assertIn('UNRECOGNIZED_NAME', self.refusal('app.test'))
        self.assertIn('HANDSHAKE_FAILURE', self.refusal(None, self.ca.context(check_hostname=False)))
        rig.wait_for(lambda: router.metric('deis_router_tls_handshakes_total{outcome="failed"}') == 2, 'both are counted')

    def test_bad_files_are_named(self):
        a, b = self.ca.issue('a.test'), self.ca.issue('b.test')
        for cert, key, said in ((a[0], b[1], 'mismatch'), (a[1], a[1], 'certificate: not PEM'), (a[0], '/none', "can't open")):
            router = rig.Static([('app.test', 1)], '--https', '127.0.0.1:%d' % rig.free_port(), '--cert', cert, '--key', key)
            with self.assertRaisesRegex(AssertionError, said):
                router.start()
            router.p = None
            router.clear()

    def test_drain_over_tls(self):
        self.https = rig.free_port()
        pair = self.ca.issue('app.test')
        origin = rig.Origin()
        self.addCleanup(origin.close)
        router = rig.Static([('app.test', origin.port)], '--https', '127.0.0.1:%d' % self.https, '--cert', pair[0], '--key',
                            pair[1]).start()
        self.addCleanup(router.clear)
        busy = self.client('app.test').send(b'GET /gate HTTP/1.1\r\nHost: app.test\r\n\r\n')
        rig.wait_for(lambda: origin.requests, 'it arrives')
        router.p.send_signal(signal.SIGTERM)
        rig.wait_for(lambda: not rig.can_connect(self.https), 'no more is accepted')
        origin.gate.set()
        status, fields, body = busy.answer()
        self.assertEqual((status, fields['connection']), (200, 'close'))
        self.assertEqual(router.stop(None), 0)


class Etcd(Https):
    """Certificates from etcd."""

    def setUp(self):
        self.etcd = rig.Etcd().start()
        self.addCleanup(self.etcd.clear)
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        self.https = rig.free_port()
        self.router = rig.Router('--instance', 'r1', '--etcd', self.etcd.url, '--ssh', '-', '--https', '127.0.0.1:%d' % self.https)
        self.addCleanup(self.router.clear)
        self.key = os.path.join(self.router.dir, 'key')
        with open(self.key, 'w') as f:
            f.write(secrets.token_hex(32) + '\n')
        os.chmod(self.key, 0o600)
        self.router.argv += ['--cluster-key', self.key]
        self.etcd.put('config/platform/domain', 'example.com')
        for app in ('blog', 'shop'):
            self.etcd.put('apps/' + app, {'id': app})
            unit = app + '_v1.web.1-aaaa'
            self.etcd.put('units/' + unit, {'unit': unit, 'app': app, 'release': 1, 'type': 'web', 'num': 1, 'machine': 'm',
                                            'desired': 'run', 'epoch': 1, 'image': 'i', 'env': '', 'entrypoint': None,
                                            'command': None, 'memory_bytes': 0, 'cpu_shares': 0, 'routable': True,
                                            'grace_ms': 10000, 'start_timeout_ms': 60000, 'health': None})
            self.etcd.put('states/m/' + unit, {'unit': unit, 'app': app, 'type': 'web', 'num': 1, 'release': 1, 'machine': 'm',
                                               'state': 'up', 'ready': True, 'address': self.origin.address, 'container': '',
                                               'exits': 0, 'exit': None, 'reason': '', 'since': 1})
        self.etcd.put('domains/www.blog.test', {'app': 'blog'})
        self.etcd.put('domains/shop.test', {'app': 'shop'})
        self.router.start()
        self.router.wait_for(lambda: rig.get(self.router.http, 'www.blog.test')[0] == 200, 'routes are there')

    def seal(self, place, plain):
        return subprocess.run([SEAL, self.key, place], input=plain.encode(), capture_output=True, check=True).stdout.decode()

    def cert(self, name, pair):
        self.etcd.put('certs/' + name, {'common_name': name, 'certificate': text(pair[0]),
                                        'key': self.seal('cert/' + name, text(pair[1]))})

    def test_a_domain_and_its_certificate_make_one_table(self):
        pair = self.ca.issue('*.new.test')
        plain = [text(f) for f in pair]
        for i in range(20):
            name = 'n%d.new.test' % i
            key = self.seal('cert/' + name, plain[1])
            rig.wait_for(self.router.settled, 'all workers use the table')
            before = self.router.routes()['generation']
            self.etcd.put_many([('domains/' + name, {'app': 'blog'}),
                                ('certs/' + name, {'common_name': name, 'certificate': plain[0], 'key': key})])
            self.wait_served(name, self.ca.count)
            rig.wait_for(lambda: self.get(name)[0] == 200, 'the name has its app')
            self.assertEqual(self.router.routes()['generation'], before + 1)

    def test_many_that_come_one_by_one(self):
        pairs = [self.ca.issue('*.many.test') for _ in range(3)]
        names = ['n%d.many.test' % i for i in range(150)]
        plain = [(text(cert), text(key)) for cert, key in pairs]

        def write(first, last):
            part = names[first:last]
            for k in range(3):
                mine = part[k::3]
                sealed = subprocess.run([SEAL, self.key, *('cert/' + n for n in mine)], input=plain[k][1], text=True,
                                        capture_output=True, check=True).stdout.split('\n') if mine else []
                self.etcd.put_many([('certs/' + n, {'common_name': n, 'certificate': plain[k][0], 'key': s})
                                    for n, s in zip(mine, sealed)])

        def check(*numbers):
            for i in numbers:
                self.wait_served(names[i], first_number + kind[i])
        first_number = self.ca.count - 2
        kind = {}
        at = 0
        for step in (1, 1, 1, 10, 63, 3, 1, 70):  # the last are more at once than are put beside the others
            for k in range(step):
                kind[at + k] = k % 3  # as write() deals them out
            write(at, at + step)
            at += step
            check(at - 1, 0, at // 2)
        self.etcd.delete('certs/' + names[5])
        self.wait_served(names[5], None)
        check(4, 6, 149)
        self.cert(names[5], pairs[2])
        kind[5] = 2
        self.cert(names[6], pairs[0])
        kind[6] = 0
        check(5, 6, 7, 0, 149)

    def platform(self, pair):
        self.etcd.put('config/router/sslCert', text(pair[0]))
        self.etcd.put('config/router/sslKey', self.seal('config/router/sslKey', text(pair[1])))

    def served(self, host):
        """Number of the certificate that the name gets, None: refused."""
        try:
            with Client(self.https, self.ca.context(), host) as c:
                return which(c.s)
        except ssl.SSLError:
            return None

    def wait_served(self, host, number):
        self.router.wait_for(lambda: self.served(host) == number, '%s has certificate %r' % (host, number))

    def write_keys(self, *keys):
        with open(self.key + '.new', 'w') as f:
            f.write(''.join(k + '\n' for k in keys))
        os.chmod(self.key + '.new', 0o600)
        os.rename(self.key + '.new', self.key)

    def held(self):
        return json.loads(self.etcd.get('services/router/r1'))['keys']

    def test_the_cluster_key_changes(self):
        """Certificates and tickets of either key are good as long as both are held."""
        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        self.wait_served('www.blog.test', self.ca.count)
        context = self.ca.context(maximum_version=ssl.TLSVersion.TLSv1_2)
        session = self.client('www.blog.test', context).s.session
        old, new = text(self.key).strip(), secrets.token_hex(32)
        rig.wait_for(lambda: self.etcd.get('services/router/r1'), 'the router is registered')
        first = self.held()
        self.assertEqual(len(first), 1)
        self.write_keys(old, new)
        rig.wait_for(lambda: len(self.held()) == 2, 'the new key is held')
        self.write_keys(new, old)
        rig.wait_for(lambda: self.held()[1] == first[0], 'the new key seals')
        self.assertTrue(self.client('www.blog.test', context, session).s.session_reused)
        # Sealed with the new one; the service that holds it opens it.
        self.cert('shop.test', self.ca.issue('shop.test'))
        self.wait_served('shop.test', self.ca.count)
        self.write_keys(new)
        rig.wait_for(lambda: len(self.held()) == 1, 'the old key is gone')
        self.assertNotEqual(self.held(), first)
        self.assertFalse(self.client('www.blog.test', context, session).s.session_reused)
        # A file that can't be used changes nothing.
        self.write_keys('no key')
        rig.wait_for(lambda: 'the cluster keys stay as they were' in self.router.log(), 'it is refused')
        self.assertEqual(self.served('shop.test'), self.ca.count)

    def test_every_name_gets_its_own(self):
        self.assertIsNone(self.served('www.blog.test'))
        self.cert('www.blog.test', self.ca.issue('www.blog.test', 'shop.test'))
        blog = self.ca.count
        self.wait_served('www.blog.test', blog)
        # One that names another's domain, too, is not used for it.
        self.assertIsNone(self.served('shop.test'))
        self.cert('shop.test', self.ca.issue('shop.test'))
        self.wait_served('shop.test', self.ca.count)
        self.assertEqual(self.served('www.blog.test'), blog)
        self.cert('*.shop.test', self.ca.issue('*.shop.test'))
        wild = self.ca.count
        self.wait_served('a.shop.test', wild)
        self.assertIsNone(self.served('a.b.shop.test'))
        self.assertEqual(self.served('shop.test'), wild - 1)
        self.platform(self.ca.issue('*.example.com'))
        platform = self.ca.count
        self.wait_served('blog.example.com', platform)
        self.assertEqual(self.served('www.blog.test'), blog)
        self.assertIsNone(self.served('example.com'))
        self.assertIsNone(self.served('blog.example.org'))
        # What is below the platform's domain can't be taken over.
        self.cert('shop.example.com', self.ca.issue('shop.example.com'))
        self.cert('late.test', self.ca.issue('late.test'))
        self.wait_served('late.test', self.ca.count)
        self.assertEqual(self.served('shop.example.com'), platform)
        self.etcd.delete('certs/www.blog.test')
        self.wait_served('www.blog.test', None)
        self.assertEqual(self.get('blog.example.com')[0], 200)

    def test_bad_certificates_harm_nobody(self):
        good = self.ca.issue('www.blog.test')
        self.cert('www.blog.test', good)
        self.wait_served('www.blog.test', self.ca.count)
        number = self.ca.count
        other = self.ca.issue('shop.test')
        self.etcd.put('certs/a.test', 'no json')
        self.etcd.put('certs/b.test', {'certificate': text(good[0])})
        self.etcd.put('certs/c.test', {'certificate': text(good[0]), 'key': self.seal('cert/d.test', text(good[1]))})
        self.cert('e.test', (good[0], other[1]))
        self.cert('f.test', (other[1], other[1]))
        self.cert('g.test', self.ca.issue('g.test', kind=('-newkey', 'rsa:1024')))
        self.cert('www.blog.test', (good[0], other[1]))
        self.cert('shop.test', other)
        self.wait_served('shop.test', which_number(other))
        self.assertEqual(self.served('www.blog.test'), number)
        for name in ('a.test', 'b.test', 'c.test', 'www.blog.test'):
            self.assertRegex(self.router.log(), 'can.t be used.*name=%s' % name)
        # The others are looked at when somebody wants them, and reported once.
        for name in 'abcefg':
            for _ in range(3):
                self.assertIsNone(self.served(name + '.test'))
        for name in 'abcefg':
            self.assertEqual(len(re.findall('can.t be used.*name=%s.test' % name, self.router.log())), 1)
        self.assertNotIn('PRIVATE KEY', self.router.log())
        self.assertEqual(self.served('www.blog.test'), number)
        # One that was bad is replaced by a good one, and that one by none that is bad.
        better = self.ca.issue('e.test', 'f.test')
        self.cert('e.test', better)
        self.wait_served('e.test', which_number(better))
        self.cert('e.test', (better[0], other[1]))
        self.cert('f.test', better)
        self.wait_served('f.test', which_number(better))
        self.assertEqual(self.served('e.test'), which_number(better))

    def kept(self):
        """Documents on disk: key -> path."""
        found = {}
        for name in os.listdir(os.path.join(self.router.dir, 'kept')):
            path = os.path.join(self.router.dir, 'kept', name)
            if '.' not in name:  # else it is still being written
                with contextlib.suppress(FileNotFoundError):
                    found[text(path).split('\n')[1]] = path
        return found

    def wait_kept(self, *keys):
        rig.wait_for(lambda: set(keys) <= set(self.kept()), 'kept: %r' % (keys,))

    def test_a_start_without_etcd_serves_https(self):
        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        self.cert('shop.test', self.ca.issue('shop.test'))
        shop = self.ca.count
        self.platform(self.ca.issue('*.example.com'))
        platform = self.ca.count
        self.etcd.put('config/router/hsts/enabled', 'true')
        self.wait_served('blog.example.com', platform)
        self.wait_kept('certs/www.blog.test', 'certs/shop.test', 'config/router/sslKey', 'config/router/hsts/enabled',
                       'config/platform/domain')
        self.assertEqual(self.router.stop(), 0)
        self.etcd.stop()
        for path in self.kept().values():
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            self.assertNotIn('PRIVATE KEY', text(path))
        with open(self.kept()['certs/www.blog.test'], 'r+b') as f:
            f.seek(-9, os.SEEK_END)
            byte = f.read(1)
            f.seek(-9, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
        self.router.start()
        self.assertEqual(self.served('shop.test'), shop)
        self.assertEqual(self.served('blog.example.com'), platform)
        self.assertIsNone(self.served('www.blog.test'))
        self.assertIn('checksum', self.router.log())
        self.assertEqual(rig.get(self.router.http, 'shop.test')[0], 301)
        self.etcd.start()
        self.wait_served('www.blog.test', shop - 1)
        # What goes while the router is down is gone when it is back.
        self.wait_kept('certs/www.blog.test')
        self.assertEqual(self.router.stop(), 0)
        for key in ('certs/shop.test', 'config/router/sslCert', 'config/router/sslKey', 'config/router/hsts/enabled'):
            self.etcd.delete(key)
        self.router.start()
        self.wait_served('shop.test', None)
        self.assertIsNone(self.served('blog.example.com'))
        self.assertEqual(rig.get(self.router.http, 'shop.test')[0], 200)
        self.assertEqual(self.served('www.blog.test'), shop - 1)
        rig.wait_for(lambda: 'certs/shop.test' not in self.kept() and 'config/router/sslKey' not in self.kept(),
                     'gone from the disk')

    def shakes(self, **versions):
        """Does a handshake with these versions come about?"""
        try:
            self.client('www.blog.test', self.ca.context(**versions)).close()
            return True
        except (ssl.SSLError, ConnectionResetError):
            return False

    def suite(self, *args):
        out = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % self.https, '-servername', 'www.blog.test', '-brief',
                              *args], input=b'', capture_output=True)
        found = re.search(rb'Ciphersuite: (\S+)', out.stderr)
        return found and found[1].decode()

    def largest_record(self):
        """Bytes of the largest record of an answer of a megabyte."""
        sent, got = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.ca.context().wrap_bio(got, sent, server_hostname='www.blog.test')
        raw = b''
        with rig.Client(self.https) as c:
            def step(act):
                nonlocal raw
                while True:
                    try:
                        return act()
                    except ssl.SSLWantReadError:
                        c.s.sendall(sent.read())
                        data = c.s.recv(65536)
                        raw += data
                        got.write(data)
            step(tls.do_handshake)
            tls.write(b'GET /big/1000000 HTTP/1.1\r\nHost: www.blog.test\r\n\r\n')
            n = 0
            while n < 1000000:
                n += len(step(lambda: tls.read(65536)))
        largest = 0
        while len(raw) >= 5:
            length = int.from_bytes(raw[3:5], 'big')
            largest = max(largest, length)
            raw = raw[5 + length:]
        return largest

    def test_what_is_agreed_on_is_a_setting(self):
        v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        self.wait_served('www.blog.test', self.ca.count)
        old = self.client('www.blog.test', self.ca.context(maximum_version=v12))
        self.etcd.put('config/router/sslProtocols', 'TLSv1.3')
        rig.wait_for(lambda: not self.shakes(maximum_version=v12), 'TLS 1.2 is over')
        self.assertTrue(self.shakes(minimum_version=v13))
        self.assertEqual(self.get('www.blog.test', c=old)[0], 200)
        self.etcd.put('config/router/sslProtocols', 'TLSv1.2')
        rig.wait_for(lambda: not self.shakes(minimum_version=v13), 'TLS 1.3 is over')
        # What can't be changes nothing.
        self.etcd.put('config/router/sslProtocols', 'TLSv1 TLSv1.1')
        rig.wait_for(lambda: "'TLSv1' is not offered" in self.router.log(), 'it is refused')
        self.assertFalse(self.shakes(minimum_version=v13))
        self.etcd.delete('config/router/sslProtocols')
        rig.wait_for(lambda: self.shakes(minimum_version=v13) and self.shakes(maximum_version=v12), 'both are there again')

        self.assertEqual(self.suite('-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA'), None)
        self.etcd.put('config/router/sslCiphers', 'ECDHE-ECDSA-AES128-SHA')
        rig.wait_for(lambda: self.suite('-tls1_2') == 'ECDHE-ECDSA-AES128-SHA', 'the suite is another one')
        self.etcd.put('config/router/sslCiphers', 'NONE-SUCH')
        rig.wait_for(lambda: 'names no cipher suite' in self.router.log(), 'it is refused')
        self.assertEqual(self.suite('-tls1_2'), 'ECDHE-ECDSA-AES128-SHA')
        self.etcd.delete('config/router/sslCiphers')
        rig.wait_for(lambda: self.suite('-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA') is None, 'it is not offered')

        self.assertGreater(self.largest_record(), 16000)
        self.etcd.put('config/router/sslBufferSize', '2k')
        rig.wait_for(lambda: self.largest_record() < 2200, 'records are small')

        context = self.ca.context(maximum_version=v12)
        session = self.client('www.blog.test', context).s.session
        self.assertTrue(self.client('www.blog.test', context, session).s.session_reused)
        self.etcd.put('config/router/sslSessionTickets', 'false')
        self.router.wait_for(lambda: not self.client('www.blog.test', context, session).s.session_reused, 'no ticket is taken')
        self.assertFalse(self.client('www.blog.test', context).s.session.has_ticket)
        late = self.ca.context(minimum_version=v13)
        c = self.client('www.blog.test', late)
        self.get('www.blog.test', c=c)
        self.assertFalse(c.s.session.has_ticket)
        self.etcd.put('config/router/sslSessionTickets', 'true')
        rig.wait_for(lambda: self.client('www.blog.test', context, session).s.session_reused, 'tickets of before are taken')
        self.etcd.put('config/router/sslSessionTimeout', '90s')
        rig.wait_for(lambda: self.client('www.blog.test', context).s.session.ticket_lifetime_hint == 90, 'tickets live for 90 s')

    def test_challenges_are_answered_for_any_host_before_all_else(self):
        def ask(host, token, method='GET', port=self.router.http):
            return rig.get(port, host, '/.well-known/acme-challenge/' + token, method=method)

        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        self.wait_served('www.blog.test', self.ca.count)
        self.etcd.put('config/router/enforceHTTPS', 'true')
        self.etcd.put('challenges/to-K_en', {'domain': 'new.test', 'answer': 'to-K_en.thumb'})
        self.etcd.put('challenges/bad', {'domain': 'new.test', 'answer': 'a\r\nX-Evil: 1'})
        self.router.wait_for(lambda: ask('new.test', 'to-K_en')[0] == 200, 'it is answered')
        self.router.wait_for(lambda: ask('www.blog.test', 'other')[0] == 301, 'HTTPS is enforced')
        for host in ('new.test', 'www.blog.test', 'nobody.test'):
            status, fields, body = ask(host, 'to-K_en')
            self.assertEqual((status, body, fields['cache-control']), (200, b'to-K_en.thumb', 'no-store'))
        self.assertEqual(ask('new.test', 'to-K_en', 'HEAD')[1]['content-length'], '13')
        self.assertEqual(self.get('www.blog.test', '/.well-known/acme-challenge/to-K_en')[2], b'to-K_en.thumb')
        with rig.Client(self.router.http) as c:
            for i in range(3):
                c.send(b'GET /.well-known/acme-challenge/to-K_en HTTP/1.1\r\nHost: new.test\r\n\r\n')
            self.assertEqual([c.answer()[0] for i in range(3)], [200] * 3)
        # Everything else is as it was: what an app answers itself, other methods, other paths.
        self.assertEqual(ask('new.test', 'other')[0], 404)
        self.assertEqual(ask('new.test', 'bad')[0], 404)
        self.assertEqual(ask('www.blog.test', 'other')[0], 301)
        self.assertEqual(ask('www.blog.test', 'to-K_en', 'DELETE')[0], 301)
        self.assertEqual(self.get('www.blog.test', '/.well-known/acme-challenge/other')[2], b'origin')
        self.etcd.delete('challenges/to-K_en')
        self.router.wait_for(lambda: ask('new.test', 'to-K_en')[0] == 404, 'it is gone')

    def stapled(self, host):
        """What a client that asks is told of the certificate: 'good', or None."""
        out = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % self.https, '-servername', host, '-status', '-CAfile',
                              self.ca.file], input=b'', capture_output=True).stdout.decode()
        if 'OCSP response: no response sent' in out:
            return None
        self.assertIn('OCSP Response Status: successful', out)
        return out.split('Cert Status: ')[1].split('\n')[0]

    def test_ocsp_answers_are_stapled(self):
        responder = Responder(self.ca)
        self.addCleanup(responder.stop)
        self.router.stop()
        self.router.argv += ['--ocsp-ca', self.ca.file]
        self.router.start()
        good, revoked, plain = (self.ca.issue(n, responder=u) for n, u in (('www.blog.test', responder.url), ('shop.test', responder.url),
                                                                           ('plain.test', None)))
        responder.start({self.ca.serial(good): 'V', self.ca.serial(revoked): 'R'})
        # One that sends the router elsewhere, by nobody's authority: it is not asked.
        trap = socket.socket()
        trap.bind(('127.0.0.1', 0))
        trap.listen()
        trap.settimeout(0.1)
        self.addCleanup(trap.close)
        other = Authority()
        self.addCleanup(other.clear)
        self.cert('evil.test', other.issue('evil.test', responder='http://127.0.0.1:%d' % trap.getsockname()[1]))
        for name, pair in (('www.blog.test', good), ('shop.test', revoked), ('plain.test', plain)):
            self.cert(name, pair)
        # Their responders are asked once they are in use.
        self.wait_served('plain.test', which_number(plain))
        for host in ('shop.test', 'evil.test'):
            self.assertIsNone(self.stapled(host))
        rig.wait_for(lambda: self.stapled('www.blog.test') == 'good', 'it is stapled')
        rig.wait_for(lambda: 'certificate is revoked' in self.router.log(), 'the revoked one is told')
        for host in ('shop.test', 'plain.test', 'evil.test'):
            self.assertIsNone(self.stapled(host))
        self.assertEqual(self.get('www.blog.test')[0], 200)
        with self.assertRaises(TimeoutError):
            trap.accept()
        self.assertEqual(self.router.metric('deis_router_ocsp_stapled'), 1)
        # Without the responder the answer is good until its end; a handshake never waits for it.
        responder.stop()
        self.cert('shop.test', self.ca.issue('shop.test', responder=responder.url))
        rig.wait_for(lambda: self.router.metric('deis_router_ocsp_failures_total') >= 2, 'nobody answers')
        self.assertEqual(self.stapled('www.blog.test'), 'good')
        self.assertIsNone(self.stapled('shop.test'))
        # One that answers for another's key is not believed.
        responder.ca = other
        responder.start({})
        self.cert('www.blog.test', good)
        rig.wait_for(lambda: 'signature is not good' in self.router.log() or 'another certificate' in self.router.log(), 'refused')
        self.assertIsNone(self.stapled('www.blog.test'))

    def test_swap_under_load_loses_nothing(self):
        pairs = [self.ca.issue('www.blog.test') for i in range(2)]
        self.cert('www.blog.test', pairs[0])
        self.wait_served('www.blog.test', which_number(pairs[0]))
        stop = threading.Event()
        failed, seen = [], []

        def load(keep):
            context = self.ca.context()
            while not stop.is_set():
                try:
                    with Client(self.https, context, 'www.blog.test') as c:
                        seen.append(which(c.s))
                        for i in range(30 if keep else 1):
                            if self.get('www.blog.test', c=c)[0] != 200:
                                failed.append('status')
                except Exception as e:
                    failed.append(repr(e))

        threads = [threading.Thread(target=load, args=(i % 2 == 0,)) for i in range(4)]
        for t in threads:
            t.start()
        for i in range(12):
            number, before = which_number(pairs[(i + 1) % 2]), len(seen)
            self.cert('www.blog.test', pairs[(i + 1) % 2])
            self.wait_served('www.blog.test', number)
            rig.wait_for(lambda: failed or number in seen[before:], 'the load has come by it')
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(failed, [])
        self.assertEqual(set(seen), {which_number(p) for p in pairs})

    def test_tickets_outlive_a_restart_but_not_their_name(self):
        self.cert('www.blog.test', self.ca.issue('www.blog.test', 'shop.test'))
        self.cert('shop.test', self.ca.issue('shop.test'))
        self.wait_served('shop.test', self.ca.count)
        self.wait_served('www.blog.test', self.ca.count - 1)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.ca.context(minimum_version=version, maximum_version=version)
            c = self.client('www.blog.test', context)
            self.get('www.blog.test', c=c)
            session = c.s.session
            c.close()
            self.assertEqual(self.router.stop(), 0)
            self.router.start()
            self.wait_served('www.blog.test', self.ca.count - 1)
            again = self.client('www.blog.test', context, session)
            self.assertTrue(again.s.session_reused)
            self.assertEqual(self.get('www.blog.test', c=again)[0], 200)
            self.wait_served('shop.test', self.ca.count)
            other = self.client('shop.test', context, session)
            self.assertFalse(other.s.session_reused)
            self.assertEqual(which(other.s), self.ca.count)

    def test_policy(self):
        def plain():
            return rig.get(self.router.http, 'www.blog.test', '/a?b=c')

        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        self.wait_served('www.blog.test', self.ca.count)
        self.assertEqual(plain()[0], 200)
        self.etcd.put('config/router/hsts/enabled', 'true')
        self.router.wait_for(lambda: plain()[0] == 301, 'redirect')
        self.assertEqual(plain()[1]['location'], 'https://www.blog.test:%d/a?b=c' % self.https)
        self.assertNotIn('strict-transport-security', plain()[1])
        self.assertEqual(self.get('www.blog.test')[1]['strict-transport-security'], 'max-age=10886400')
        self.assertEqual(self.get('www.blog.test', '/status/500')[1]['strict-transport-security'], 'max-age=10886400')
        # Not on what the router says itself.
        self.assertNotIn('strict-transport-security', self.get('nobody.test', c=self.client('www.blog.test'))[1])
        self.assertEqual(rig.get(self.router.http, 'nobody.test')[0], 404)
        with rig.Client(self.router.http) as c:
            c.send(b'POST / HTTP/1.1\r\nHost: www.blog.test\r\nContent-Length: 5\r\n\r\n')
            status, fields, body = c.answer()
            self.assertEqual((status, fields['connection']), (301, 'close'))
        for key, value in (('maxAge', '60'), ('includeSubDomains', 'true'), ('preload', 'true')):
            self.etcd.put('config/router/hsts/' + key, value)
        self.router.wait_for(lambda: self.get('www.blog.test')[1]['strict-transport-security'] == 'max-age=60; includeSubDomains; preload',
                             'settings')
        self.etcd.put('config/router/enforceHTTPS', 'maybe')
        self.etcd.put('config/router/enforceHTTPS', 'false')
        self.router.wait_for(lambda: plain()[0] == 200, 'no redirect')
        self.assertIn('strict-transport-security', self.get('www.blog.test')[1])
        self.etcd.delete('config/router/enforceHTTPS')
        self.router.wait_for(lambda: plain()[0] == 301, 'redirect again')
        self.etcd.put('config/router/hsts/enabled', 'false')
        self.router.wait_for(lambda: plain()[0] == 200, 'all off')
        self.etcd.put('config/router/enforceHTTPS', 'true')
        self.router.wait_for(lambda: plain()[0] == 301, 'redirect alone')
        self.assertNotIn('strict-transport-security', self.get('www.blog.test')[1])

    def test_policy_of_an_app(self):
        def plain():
            return rig.get(self.router.http, 'www.blog.test', '/a')

        def set(**settings):
            self.etcd.put('routing/blog', {'settings': settings})

        def hsts():
            return self.get('www.blog.test')[1].get('strict-transport-security')

        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        self.wait_served('www.blog.test', self.ca.count)
        self.assertEqual((plain()[0], hsts()), (200, None))
        set(hsts=True)
        self.router.wait_for(lambda: plain()[0] == 301, 'redirect')
        self.assertEqual(hsts(), 'max-age=10886400')
        set(hsts=True, enforceHTTPS=False)
        self.router.wait_for(lambda: plain()[0] == 200, 'no redirect')
        self.assertEqual(hsts(), 'max-age=10886400')
        set(enforceHTTPS=True, sticky=True)
        self.router.wait_for(lambda: plain()[0] == 301, 'redirect alone')
        status, fields, _ = self.get('www.blog.test')
        self.assertNotIn('strict-transport-security', fields)
        self.assertTrue(fields['set-cookie'].endswith('; Secure'))
        # Against what holds for all.
        self.etcd.put('config/router/hsts/enabled', 'true')
        set(hsts=False, enforceHTTPS=False)
        self.router.wait_for(lambda: plain()[0] == 200, 'neither')
        self.assertEqual(hsts(), None)
        set(whitelist=['127.0.0.2'])
        self.router.wait_for(lambda: plain()[0] == 403, 'no redirect for who may not pass')
        self.assertEqual(self.get('www.blog.test')[0], 403)

    def test_an_etcd_that_lost_everything_takes_no_certificate(self):
        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        gate = self.router.start_behind(self.etcd)
        self.addCleanup(gate.close)
        self.wait_served('www.blog.test', self.ca.count)
        gate.hold('/deis/challenges/')  # which are read after the certificates
        self.etcd.lose()
        rig.wait_for(lambda: gate.waiting, 'it has read that there are none')
        self.assertEqual({self.served('www.blog.test') for _ in range(20)}, {self.ca.count})
        gate.hold(None)
        rig.wait_for(lambda: self.router.metric('deis_router_table_held') == 1, 'the table is held')
        self.assertEqual({self.served('www.blog.test') for _ in range(20)}, {self.ca.count})
        self.assertEqual(self.router.stop(), 0)
        self.router.start()
        self.assertEqual({self.served('www.blog.test') for _ in range(20)}, {self.ca.count})
        # Who accepts it, accepts that, too.
        self.etcd.put('config/router/acceptStore', 'now')
        self.wait_served('www.blog.test', None)

    def test_a_staple_brings_in_nothing_of_an_etcd_that_lost_everything(self):
        responder = Responder(self.ca)
        self.addCleanup(responder.stop)
        self.router.stop()
        self.router.argv += ['--ocsp-ca', self.ca.file]
        self.router.start()
        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        number, platform = self.ca.count, self.ca.issue('*.example.com', responder=responder.url)
        responder.start({self.ca.serial(platform): 'V'})
        self.platform(platform)
        self.wait_served('blog.example.com', self.ca.count)
        self.wait_served('www.blog.test', number)
        self.wait_kept('certs/www.blog.test', 'config/router/sslKey', 'config/router/sslCert')
        for i in range(30):  # so that a new etcd is behind
            self.etcd.put('config/platform/x', str(i))
        self.assertEqual(self.router.stop(), 0)
        self.etcd.lose()
        self.router.start()
        rig.wait_for(lambda: self.router.metric('deis_router_table_held') == 1, 'the table is held')
        rig.wait_for(lambda: self.router.metric('deis_router_ocsp_stapled') == 1, 'the responder has answered')
        self.assertEqual((self.served('www.blog.test'), self.served('blog.example.com')), (number, number + 1))

    def test_tls_without_etcd(self):
        self.cert('www.blog.test', self.ca.issue('www.blog.test'))
        self.platform(self.ca.issue('*.example.com'))
        self.wait_served('blog.example.com', self.ca.count)
        self.wait_served('www.blog.test', self.ca.count - 1)
        self.etcd.stop()
        self.assertEqual(self.served('www.blog.test'), self.ca.count - 1)
        self.assertEqual(self.get('blog.example.com')[0], 200)


def which_number(pair):
    return int(os.path.basename(pair[0]).split('.')[0])


if __name__ == '__main__':
    unittest.main(verbosity=2)
