# SPDX-License-Identifier: MIT
"""Certificates by themselves: a real authority (Pebble), the controller with uacme, routers, a real etcd."""
import base64
import datetime
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'router'))
import rig  # noqa: E402

PLATFORM = 'platform.test'
CERTS = '/etc/ssl/certs'
VALID_S = 24


def openssl(*args):
    subprocess.run(['openssl', *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Pebble:
    """An ACME server that asks at http_port, for names that are all at 127.0.0.1; its certificates are short-lived."""

    def __init__(self, http_port):
        self.dir = tempfile.mkdtemp(prefix='deis-pebble.')
        self.port, self.admin, self.dns, self.dns_admin = (rig.free_port() for _ in range(4))
        self.url = 'https://localhost:%d/dir' % self.port
        self.ca = self.path('ca.pem')
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=own',
                '-addext', 'subjectAltName=DNS:localhost', '-keyout', self.path('key.pem'), '-out', self.ca)
        self.http_port = http_port
        self.running = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        with open(self.path('config.json'), 'w') as f:
            json.dump({'pebble': {'listenAddress': '127.0.0.1:%d' % self.port, 'managementListenAddress': '127.0.0.1:%d' % self.admin,
                                  'certificate': self.ca, 'privateKey': self.path('key.pem'), 'httpPort': self.http_port, 'tlsPort': 1,
                                  'ocspResponderURL': '', 'externalAccountBindingRequired': False,
                                  'certificateValidityPeriod': VALID_S}}, f)
        with open(self.path('log'), 'w') as log:
            self.running = [
                rig.spawn(['pebble-challtestsrv', '-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '', '-dns01',
                           '127.0.0.1:%d' % self.dns, '-management', '127.0.0.1:%d' % self.dns_admin], stdout=log, stderr=log),
                rig.spawn(['pebble', '-config', self.path('config.json'), '-dnsserver', '127.0.0.1:%d' % self.dns],
                          stdout=log, stderr=log, env={'PEBBLE_VA_NOSLEEP': '1', 'PATH': os.environ['PATH']})]
        rig.wait_for(lambda: rig.can_connect(self.port) and rig.can_connect(self.dns_admin), 'pebble starts')
        return self

    def roots(self):
        """File with the root of what it issues."""
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen('https://localhost:%d/roots/0' % self.admin, context=context, timeout=rig.DEADLINE) as r:
            data = r.read()
        with open(self.path('root.pem'), 'wb') as f:
            f.write(data)
        return self.path('root.pem')

    def stop(self):
        for p in self.running:
            p.kill()
            p.wait()
        self.running = []

    def clear(self):
        self.stop()
        shutil.rmtree(self.dir)


class Controller:
    """deis-controller; its own mounts have the folder of certificates that its image has, and nobody else's."""

    def __init__(self, etcd, key, instance, linked=True):
        self.dir = tempfile.mkdtemp(prefix='deis-controller.')
        self.port = rig.free_port()
        self.instance = instance
        certs = os.path.join(self.dir, 'certs')
        os.mkdir(certs)
        if linked:
            os.symlink(os.path.join(self.dir, 'deis-acme-ca.pem'), os.path.join(certs, 'deis-acme-ca.pem'))
        self.argv = ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" %s && exec "$@"' % CERTS, certs,
                     os.path.join(rig.BIN, 'deis-controller'), '--http', '127.0.0.1:%d' % self.port, '--bus',
                     'tcp://127.0.0.1:%d' % rig.free_port(), '--etcd', etcd.url, '--cluster-key', key, '--instance', instance,
                     '--acme-dir', self.dir]
        self.errors = os.path.join(self.dir, 'stderr')
        self.token = None
        self.p = None

    def start(self):
        with open(self.errors, 'a') as f:
            self.p = rig.spawn(self.argv, stderr=f)
        rig.wait_for(lambda: rig.can_connect(self.port), 'controller starts')
        return self

    def log(self):
        with open(self.errors) as f:
            return f.read()

    def call(self, method, path, body=None, token=None):
        """(status, JSON)"""
        req = urllib.request.Request('http://127.0.0.1:%d/v1/%s' % (self.port, path), method=method,
                                     data=json.dumps(body).encode() if body is not None else None)
        req.add_header('Content-Type', 'application/json')
        token = token or self.token
        if token:
            req.add_header('Authorization', 'token ' + token)
        try:
            with urllib.request.urlopen(req, timeout=rig.DEADLINE) as r:
                status, data = r.status, r.read()
        except urllib.error.HTTPError as e:
            with e:
                status, data = e.code, e.read()
        return status, json.loads(data) if data else None

    def login(self, name, register=True):
        if register:
            assert self.call('POST', 'auth/register', {'username': name, 'password': 'pw', 'email': name + '@x.test'})[0] == 201
        return self.call('POST', 'auth/login', {'username': name, 'password': 'pw'})[1]['token']

    def stop(self, how=signal.SIGTERM):
        if self.p:
            self.p.send_signal(how)
            status = self.p.wait(rig.DEADLINE)
            self.p = None
            return status
        return 0

    def clear(self):
        status = self.stop()
        text = self.log()
        if os.environ.get('DEIS_TEST_LOGS'):
            print(text)
        shutil.rmtree(self.dir)
        if status != 0:
            raise AssertionError('controller ended with %d: %s' % (status, text))


class Acme(unittest.TestCase):
    def setUp(self):
        self.etcd = rig.Etcd().start()
        self.addCleanup(self.etcd.clear)
        self.https = rig.free_port()
        self.router = rig.Router('--instance', 'r1', '--etcd', self.etcd.url, '--ssh', '-', '--https', '127.0.0.1:%d' % self.https)
        self.addCleanup(self.router.clear)
        self.key = os.path.join(self.router.dir, 'key')
        with open(self.key, 'w') as f:
            f.write(secrets.token_hex(32) + '\n')
        os.chmod(self.key, 0o600)
        self.router.argv += ['--cluster-key', self.key]
        self.pebble = Pebble(self.router.http).start()
        self.addCleanup(self.pebble.clear)
        for name, value in (('platform/domain', PLATFORM), ('controller/acme/directory', self.pebble.url),
                            ('controller/acme/agree', 'true'), ('controller/acme/contact', 'ops@x.test'),
                            ('controller/acme/retry', '3s'), ('router/enforceHTTPS', 'true')):
            self.etcd.put('config/' + name, value)
        self.trust(self.pebble.ca)
        self.router.start()
        self.controller = self.another('c1')
        self.controller.token = self.controller.login('mira')
        self.assertEqual(self.controller.call('POST', 'apps', {'id': 'blog'})[0], 201)
        self.domain('www.blog.test')

    def trust(self, path):
        with open(path) as f:
            self.etcd.put('config/controller/acme/ca', f.read())

    def another(self, instance, **kw):
        c = Controller(self.etcd, self.key, instance, **kw).start()
        self.addCleanup(c.clear)
        return c

    def domain(self, name):
        self.assertEqual(self.controller.call('POST', 'apps/blog/domains', {'domain': name})[0], 201)

    def auto(self, name):
        return self.controller.call('POST', 'autocerts', {'domain': name})

    def served(self, name):
        """(serial number, end) of the certificate that a client who trusts the authority gets; None: refused."""
        context = ssl.create_default_context(cafile=self.pebble.roots())
        try:
            with socket.create_connection(('127.0.0.1', self.https), rig.DEADLINE) as s:
                with context.wrap_socket(s, server_hostname=name) as t:
                    return t.getpeercert()['serialNumber'], t.getpeercert()['notAfter']
        except ssl.SSLError:
            return None

    def info(self, name):
        return self.controller.call('GET', 'certs/' + name)[1]

    def wait_state(self, name, state):
        rig.wait_for(lambda: self.info(name).get('state') == state, '%s is %s' % (name, state))
        return self.info(name)

    def documents(self):
        """All of etcd as text."""
        kvs = self.etcd.call('kv/range', key='/', range_end='0')['kvs']
        return '\n'.join(base64.b64decode(kv[part]).decode() for kv in kvs for part in ('key', 'value'))

    def test_issued_served_renewed_and_taken_away(self):
        status, doc = self.auto('WWW.blog.test')
        self.assertEqual((status, doc['domain'], doc['app'], doc['state']), (201, 'www.blog.test', 'blog', 'waiting'))
        self.assertEqual(self.info('www.blog.test')['expires'], None)

        def told():
            """The certificate that is served, once the API tells its end: until then it may be renewed."""
            first, info = self.served('www.blog.test'), self.info('www.blog.test')
            ends = datetime.datetime.strptime(first[1], '%b %d %H:%M:%S %Y GMT') if first else None
            return info['state'] == 'issued' and ends and info['expires'] == ends.strftime('%Y-%m-%dT%H:%M:%SUTC') and first
        first = rig.wait_for(told, 'it is served and told')
        self.assertEqual([c['common_name'] for c in self.controller.call('GET', 'certs')[1]['results']], ['www.blog.test'])
        # Nothing is left behind, and no key is to be read.
        rig.wait_for(lambda: self.etcd.get('leader/acme') is None, 'the work is over')
        self.assertNotIn('/deis/challenges/', self.documents())
        self.assertNotIn('PRIVATE KEY', self.documents())
        self.assertNotIn('PRIVATE KEY', self.controller.log())
        self.assertEqual(sorted(os.listdir(self.controller.dir)), ['certs', 'stderr'])
        self.assertEqual(json.loads(self.etcd.get('acme/account'))['contact'], 'ops@x.test')
        # Renewed before it ends, by another controller, with the same account.
        self.assertEqual(self.controller.stop(), 0)
        account = self.etcd.get('acme/account')
        token, self.controller = self.controller.token, self.another('c2')
        self.controller.token = token
        rig.wait_for(lambda: self.served('www.blog.test') not in (None, first), 'it is renewed', VALID_S + rig.DEADLINE)
        self.assertEqual(self.etcd.get('acme/account'), account)
        # Its domain goes, and so does it.
        self.assertEqual(self.controller.call('DELETE', 'apps/blog/domains/www.blog.test')[0], 204)
        rig.wait_for(lambda: self.served('www.blog.test') is None, 'it is taken away')
        rig.wait_for(lambda: self.controller.call('GET', 'certs/www.blog.test')[0] == 404, 'the controller has removed it')
        self.assertEqual(self.controller.call('GET', 'autocerts')[1]['count'], 0)
        actions = [e['action'] for e in self.controller.call('GET', 'audit?page_size=100')[1]['results']]
        for action in ('cert.auto.on', 'cert.auto', 'cert.auto.end'):
            self.assertIn(action, actions)

    def test_failures_are_told_and_tried_again(self):
        self.pebble.http_port = rig.free_port()  # nobody there
        self.pebble.stop()
        self.pebble.start()
        self.assertEqual(self.auto('www.blog.test')[0], 201)
        info = self.wait_state('www.blog.test', 'failed')
        self.assertRegex(info['detail'], 'challenge|connect')
        self.assertIsNone(self.served('www.blog.test'))
        attempts = json.loads(self.etcd.get('autocerts/www.blog.test'))
        self.assertGreater(attempts['next_ms'] - attempts['tried_ms'], 2900)
        rig.wait_for(lambda: self.etcd.get('leader/acme') is None, 'the work is over')
        # Asking again changes nothing at once: the authority would refuse who asks too often.
        self.assertEqual(self.auto('www.blog.test')[0], 200)
        # An account that the authority does not know any more (it keeps nothing) is no dead end.
        self.pebble.stop()
        self.pebble.http_port = self.router.http
        self.pebble.start()
        self.wait_state('www.blog.test', 'issued')
        self.assertEqual(self.info('www.blog.test')['detail'], '')
        rig.wait_for(lambda: self.served('www.blog.test'), 'it is served')

    def test_an_authority_that_is_not_known(self):
        """Its server is trusted by the setting alone, and what is wrong with that is told."""
        self.etcd.delete('config/controller/acme/ca')
        self.assertEqual(self.auto('www.blog.test')[0], 201)
        self.assertIn('certificate', self.wait_state('www.blog.test', 'failed')['detail'])
        self.etcd.put('config/controller/acme/ca', 'no PEM')
        rig.wait_for(lambda: 'acme/ca holds no certificates' in self.info('www.blog.test')['detail'], 'it is told')
        self.trust(self.pebble.ca)
        self.wait_state('www.blog.test', 'issued')
        self.assertEqual(self.controller.stop(), 0)
        token, self.controller = self.controller.token, self.another('c2', linked=False)
        self.controller.token = token
        self.domain('other.blog.test')
        self.assertEqual(self.auto('other.blog.test')[0], 201)
        self.assertIn('needs a link /etc/ssl/certs/deis-acme-ca.pem', self.wait_state('other.blog.test', 'failed')['detail'])

    def test_several_names_by_several_controllers(self):
        names = ['n%d.blog.test' % i for i in range(4)] + ['blog.' + PLATFORM]
        others = [self.another('c%d' % i) for i in (2, 3)]
        for name in names[:4]:
            self.domain(name)
        for i, name in enumerate(names):
            c = [self.controller, *others][i % 3]
            self.assertEqual(c.call('POST', 'autocerts', {'domain': name}, self.controller.token)[0], 201, name)
        for name in names:
            rig.wait_for(lambda: self.served(name), name + ' is served')
        self.assertEqual(self.controller.call('GET', 'autocerts')[1]['count'], 5)
        self.assertEqual(self.controller.call('DELETE', 'autocerts/' + names[0])[0], 204)
        rig.wait_for(lambda: self.served(names[0]) is None, 'it ends')
        self.assertEqual(self.controller.call('DELETE', 'certs/' + names[1])[0], 204)
        rig.wait_for(lambda: self.served(names[1]) is None, 'it ends')
        self.assertEqual(self.controller.call('GET', 'autocerts/' + names[1])[0], 404)

    def test_a_controller_that_dies_leaves_the_work_to_another(self):
        other = self.another('c2')
        os.mkfifo(os.path.join(self.pebble.dir, 'never'))
        stuck = self.another('c3')
        stuck.stop()
        # A client that never ends, run by the only controller there is.
        self.assertEqual(other.stop(), 0)
        self.assertEqual(self.controller.stop(), 0)
        stuck.argv += ['--acme-client', self.script('exec cat "%s"' % os.path.join(self.pebble.dir, 'never'))]
        stuck.start()
        stuck.token = self.controller.token
        self.assertEqual(stuck.call('POST', 'autocerts', {'domain': 'www.blog.test'})[0], 201)
        rig.wait_for(lambda: self.etcd.get('leader/acme'), 'it is at work')
        held = rig.wait_for(self.writer, 'its client runs')
        stuck.stop(signal.SIGKILL)
        os.close(held)  # and so the client ends, which nobody waits for now
        other.start()
        other.token, self.controller = self.controller.token, other
        rig.wait_for(lambda: self.served('www.blog.test'), 'it is served', 2 * rig.DEADLINE)

    def writer(self):
        """The writing end of what the client reads, once it does."""
        try:
            return os.open(os.path.join(self.pebble.dir, 'never'), os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None

    def script(self, text):
        path = os.path.join(self.pebble.dir, 'client')
        with open(path, 'w') as f:
            f.write('#!/bin/sh\n%s\n' % text)
        os.chmod(path, 0o755)
        return path

    def test_what_may_not_be_asked_for(self):
        c = self.controller
        for domain, word in (('nobody.test', 'no domain of an app of yours'), ('*.blog.test', 'wildcard'), ('', 'blank'),
                             ('a b.test', 'domain'), ('x' * 300, ''), ('-x.test', ''), ('other.' + PLATFORM, 'no domain of an app'),
                             ('www.blog.test/../x', ''), ('www.blog.test\n', ''), ('-c', ''), ('127.0.0.1', '')):
            status, body = self.auto(domain)
            self.assertEqual(status, 400, domain)
            self.assertIn(word, json.dumps(body).lower())
        for body in ({}, {'domain': None}, {'domain': {}}, {'domain': ['www.blog.test']}):
            self.assertEqual(c.call('POST', 'autocerts', body)[0], 400, body)
        self.assertEqual(self.auto('www.blog.test')[0], 201)
        # Others neither see nor change it.
        ivo = c.login('ivo')
        for method, path in (('GET', 'autocerts/www.blog.test'), ('DELETE', 'autocerts/www.blog.test'), ('GET', 'certs/www.blog.test')):
            self.assertEqual(c.call(method, path, token=ivo)[0], 404)
        self.assertEqual(c.call('POST', 'autocerts', {'domain': 'www.blog.test'}, ivo)[0], 400)
        self.assertEqual(c.call('POST', 'autocerts', {'domain': 'deis.' + PLATFORM}, ivo)[0], 403)
        self.assertEqual(c.call('GET', 'autocerts', token='none')[0], 401)
        self.assertEqual(c.call('GET', 'autocerts', token=ivo)[1]['count'], 0)
        self.etcd.put('config/controller/acme/agree', 'false')
        rig.wait_for(lambda: self.auto('www.blog.test')[0] == 409, 'it is off')
        self.assertIn('acme/agree', self.auto('www.blog.test')[1]['detail'])


if __name__ == '__main__':
    if subprocess.run(['unshare', '-m', 'true'], stderr=subprocess.DEVNULL).returncode != 0:
        print('not run: a private CA for uacme needs mounts of its own (root)')
        sys.exit(77)
    unittest.main(verbosity=2)
