# SPDX-License-Identifier: MIT
"""The router on a real etcd: routes, drain, static stability, SSH, the log."""
import glob
import json
import os
import re
import secrets
import select
import socket
import subprocess
import threading
import unittest

import rig


class World:
    """etcd, a router, and the documents that the other services would write."""

    def __init__(self, *flags):
        self.etcd = rig.Etcd().start()
        self.etcd.put('config/platform/domain', 'example.com')
        self.ssh = rig.free_port()
        self.router = rig.Router('--instance', 'r1', '--etcd', self.etcd.url, '--ssh', '127.0.0.1:%d' % self.ssh, *flags)
        key = os.path.join(self.router.dir, 'key')
        with open(key, 'w') as f:
            f.write(secrets.token_hex(32) + '\n')
        os.chmod(key, 0o600)
        self.key = key
        self.router.argv += ['--cluster-key', key]
        self.router.start()

    def clear(self):
        self.router.clear()
        self.etcd.clear()

    def app(self, name):
        self.etcd.put('apps/' + name, {'id': name})

    def unit(self, unit, desired='run', machine='m1', routable=True):
        app, release, rest = unit.split('_v')[0], unit.split('_v')[1].split('.')[0], unit.split('.', 1)[1]
        self.etcd.put('units/' + unit, {'unit': unit, 'app': app, 'release': int(release), 'type': rest.split('.')[0],
                                        'num': 1, 'machine': machine, 'desired': desired, 'epoch': 1, 'image': 'i', 'env': '',
                                        'entrypoint': None, 'command': None, 'memory_bytes': 0, 'cpu_shares': 0,
                                        'routable': routable, 'grace_ms': 10000, 'start_timeout_ms': 60000, 'health': None})

    def state(self, unit, address, ready=True, machine='m1'):
        self.etcd.put('states/%s/%s' % (machine, unit),
                      {'unit': unit, 'app': unit.split('_v')[0], 'type': 'web', 'num': 1, 'release': 1, 'machine': machine,
                       'state': 'up', 'ready': ready, 'address': address, 'container': '', 'exits': 0,
                       'exit': None, 'reason': '', 'since': 1})

    def run(self, unit, origin):
        self.unit(unit)
        self.state(unit, origin.address)

    def get(self, host, path='/', **kw):
        return rig.get(self.router.http, host, path, **kw)

    def wait_status(self, host, status):
        self.router.wait_for(lambda: self.get(host)[0] == status, '%s answers %d' % (host, status))

    def wait_units(self, app, *units):
        """Until all workers use a table in which the app has just these units."""
        def there():
            r = self.router.routes()
            a = [a for a in r['apps'] if a['app'] == app]
            return a and sorted(e['unit'] for e in a[0]['endpoints']) == sorted(units) and r['adopted'] == r['generation']
        rig.wait_for(there, '%s has %r' % (app, units))


def text_of(path):
    if not os.path.exists(path):
        return ''
    with open(path) as f:
        return f.read()


class Etcd(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.clear)
        self.etcd, self.router = self.world.etcd, self.world.router

    def origin(self, tag='origin'):
        o = rig.Origin(tag)
        self.addCleanup(lambda: o.s.fileno() >= 0 and o.close())
        return o

    def test_an_app_comes_and_goes(self):
        w, o = self.world, self.origin()
        u = 'blog_v1.web.1-aaaa'
        self.assertEqual(w.get('blog.example.com')[0], 404)
        w.app('blog')
        self.etcd.put('domains/www.blog.test', {'app': 'blog'})
        w.wait_status('www.blog.test', 503)
        self.assertIn(b'H14', w.get('blog.example.com')[2])
        w.unit(u)
        self.router.wait_for(lambda: b'H10' in w.get('blog.example.com')[2], 'unit is known, not ready')
        w.state(u, o.address, ready=False)
        w.state(u, o.address)
        w.wait_status('blog.example.com', 200)
        self.assertEqual(w.get('www.blog.test')[0], 200)
        self.assertEqual(w.get('blog.other.com')[0], 404)
        w.state(u, o.address, ready=False)
        w.wait_status('blog.example.com', 503)
        w.state(u, o.address)
        w.wait_status('blog.example.com', 200)
        w.state(u, o.address, machine='m2')  # not the machine it is placed on
        self.etcd.put('verdicts/m1', {'state': 'lost', 'since': 1})
        w.wait_status('blog.example.com', 503)
        self.etcd.delete('verdicts/m1')
        w.wait_status('blog.example.com', 200)
        self.etcd.put('config/platform/domain', 'example.net')
        w.wait_status('blog.example.net', 200)
        self.assertEqual(w.get('blog.example.com')[0], 404)
        self.etcd.delete('apps/blog')
        w.wait_status('blog.example.net', 404)
        self.assertEqual(w.get('www.blog.test')[0], 404)

    def test_a_bad_document_changes_nothing_else(self):
        w, o = self.world, self.origin()
        w.app('blog')
        w.run('blog_v1.web.1-aaaa', o)
        w.wait_status('blog.example.com', 200)
        self.etcd.put('units/blog_v1.web.1-aaaa', '{"unit":1}')
        self.etcd.put('states/m1/blog_v1.web.2-bbbb', 'nonsense')
        self.etcd.put('domains/x.test', '[]')
        rig.wait_for(lambda: self.router.log().count('document ignored') == 3, 'all are ignored')
        w.app('other')
        w.wait_status('other.example.com', 503)
        self.assertEqual(w.get('blog.example.com')[0], 200)

    def test_controller(self):
        w, o, p = self.world, self.origin('first'), self.origin('second')
        self.assertEqual(w.get('deis.example.com')[0], 404)
        self.etcd.put('services/controller/c1', {'http': o.address, 'bus': 'tcp://127.0.0.1:1'})
        w.wait_status('deis.example.com', 200)
        w.app('deis')
        self.etcd.put('domains/deis.example.com', {'app': 'deis'})
        self.etcd.delete('services/controller/c1')  # the last one known stays until another is there
        self.etcd.put('config/controller/subdomain', 'api')
        w.wait_status('api.example.com', 200)
        w.wait_status('deis.example.com', 503)  # now the app's
        self.etcd.put('services/controller/c2', {'http': p.address})
        rig.wait_for(lambda: w.get('api.example.com')[2] == b'second', 'the new controller takes over')

    def test_drain_waits_for_what_is_in_flight(self):
        w, old, new = self.world, self.origin('old'), self.origin('new')
        a, b = 'blog_v1.web.1-aaaa', 'blog_v2.web.1-bbbb'
        w.app('blog')
        w.run(a, old)
        w.wait_units('blog', a)
        for _ in range(8):  # leaves idle connections behind
            w.get('blog.example.com')
        busy = rig.Client(w.router.http).send(b'GET /gate HTTP/1.1\r\nHost: blog.example.com\r\n\r\n')
        ws = rig.Client(w.router.http).send(b'GET /ws HTTP/1.1\r\nHost: blog.example.com\r\nConnection: upgrade\r\nUpgrade: websocket\r\n'
                                            b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
        self.assertEqual(ws.answer()[0], 101)
        rig.wait_for(lambda: any('/gate' in r[0] for r in old.requests), 'request arrives')
        w.run(b, new)
        w.wait_units('blog', a, b)
        w.unit(a, 'drain')
        w.wait_units('blog', b)
        for _ in range(20):
            self.assertEqual(w.get('blog.example.com')[2], b'new')
        rig.wait_for(lambda: len(old.open) == 2, 'idle connections are closed')
        self.assertIsNone(self.etcd.get('drained/r1/' + a))
        old.gate.set()
        self.assertEqual(busy.answer()[2], b'old')
        for _ in range(5):
            w.get('blog.example.com')
        self.assertIsNone(self.etcd.get('drained/r1/' + a))
        ws.send(rig.ws_frame(b'', 8, b'mask'))
        ws.rest()
        ws.close()
        busy.close()
        self.assertEqual(rig.wait_for(lambda: self.etcd.get('drained/r1/' + a), 'unit is drained'), '{}')
        rig.wait_for(lambda: not old.open, 'nothing is connected to it')
        self.etcd.delete('units/' + a)
        rig.wait_for(lambda: self.etcd.get('drained/r1/' + a) is None, 'the key goes with the unit')

    def test_drain_taken_back(self):
        w, o = self.world, self.origin()
        u = 'blog_v1.web.1-aaaa'
        w.app('blog')
        w.run(u, o)
        w.wait_units('blog', u)
        w.unit(u, 'drain')
        rig.wait_for(lambda: self.etcd.get('drained/r1/' + u), 'unit is drained')
        w.unit(u)
        rig.wait_for(lambda: self.etcd.get('drained/r1/' + u) is None, 'the key goes')
        w.wait_status('blog.example.com', 200)

    def test_keys_of_a_former_life_are_cleared(self):
        w = self.world
        self.assertEqual(self.router.stop(), 0)
        self.etcd.put('drained/r1/gone_v1.web.1-cccc', '{}')
        self.etcd.put('drained/r2/gone_v1.web.1-cccc', '{}')
        self.router.start()
        rig.wait_for(lambda: self.etcd.get('drained/r1/gone_v1.web.1-cccc') is None, 'our key goes')
        self.assertIsNotNone(self.etcd.get('drained/r2/gone_v1.web.1-cccc'))

    def test_rollouts_under_load_fail_no_request(self):
        w = self.world
        host = b'blog.example.com'
        w.app('blog')
        origins = [self.origin('0'), self.origin('0')]
        units = ['blog_v1.web.%d-0' % i for i in (1, 2)]
        for u, o in zip(units, origins):
            w.run(u, o)
        w.wait_units('blog', *units)
        failures, done, stop, lock = [], [0], threading.Event(), threading.Lock()

        def load(n):
            c, i = rig.Client(w.router.http), 0
            while not stop.is_set():
                i += 1
                try:
                    c.send(b'POST /echo HTTP/1.1\r\nHost: %s\r\nContent-Length: 3\r\n\r\nabc' % host if i % 2 else
                           b'GET /slow/0.005 HTTP/1.1\r\nHost: %s\r\n\r\n' % host)
                    status, fields, body = c.answer()
                except (OSError, EOFError) as e:
                    status, fields, body = 0, {}, repr(e)
                with lock:
                    done[0] += 1
                    if status != 200:
                        failures.append((status, body))
                        return
            c.close()

        threads = [threading.Thread(target=load, args=(n,)) for n in range(12)]
        for t in threads:
            t.start()
        rounds = 0
        while (done[0] < 3000 or rounds < 6) and not failures:
            rounds += 1
            new_origins = [self.origin(str(rounds)), self.origin(str(rounds))]
            new_units = ['blog_v%d.web.%d-0' % (rounds + 1, i) for i in (1, 2)]
            for u, o in zip(new_units, new_origins):
                w.run(u, o)
            w.wait_units('blog', *units, *new_units)
            for u, o in zip(units, origins):
                w.unit(u, 'drain')
            for u, o in zip(units, origins):
                rig.wait_for(lambda: self.etcd.get('drained/r1/' + u), u + ' is drained')
                w.unit(u, 'stop')
                o.close()
                self.etcd.delete('states/m1/' + u)
                self.etcd.delete('units/' + u)
            units, origins = new_units, new_origins
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])

    def test_without_etcd_nothing_changes(self):
        w, o = self.world, self.origin()
        w.app('blog')
        self.etcd.put('domains/www.blog.test', {'app': 'blog'})
        self.etcd.put('config/router/bodySize', '1k')
        w.run('blog_v1.web.1-aaaa', o)
        w.wait_status('www.blog.test', 200)
        rig.wait_for(lambda: w.get('blog.example.com', method='POST', extra='Content-Length: 2000\r\n', body=b'a' * 2000)[0] == 413,
                     'bodySize is in effect')
        saved = os.path.join(self.router.dir, 'routes')
        rig.wait_for(lambda: 'limits 1024 ' in text_of(saved) and 'host www.blog.test blog' in text_of(saved),
                     'table is on disk')
        self.etcd.stop()
        self.assertEqual(w.get('www.blog.test')[0], 200)
        self.assertEqual(self.router.stop(), 0)
        self.router.start()
        for _ in range(10):
            self.assertEqual(w.get('www.blog.test')[0], 200)
        self.assertEqual(w.get('nobody.test')[0], 404)
        self.assertEqual(w.get('blog.example.com', method='POST', extra='Content-Length: 2000\r\n', body=b'a' * 2000)[0], 413)
        self.etcd.start()
        w.app('late')
        w.wait_status('late.example.com', 503)
        self.assertEqual(w.get('www.blog.test')[0], 200)

    def held(self):
        return self.router.metric('deis_router_table_held') == 1

    def served(self, n=5):
        """Routes are those of blog, which nobody takes away."""
        for _ in range(n):
            self.assertEqual(self.world.get('www.blog.test')[0], 200)

    def a_blog(self):
        w = self.world
        self.o = self.origin()
        w.app('blog')
        self.etcd.put('domains/www.blog.test', {'app': 'blog'})
        w.run('blog_v1.web.1-aaaa', self.o)
        w.wait_status('www.blog.test', 200)
        for i in range(30):  # so that a new etcd is behind
            self.etcd.put('config/platform/x', str(i))
        seen = os.path.join(self.router.dir, 'routes')
        last = self.etcd.call('kv/range', key='/deis/config/platform/x')['kvs'][0]['mod_revision']
        # Or a later one: the router may register itself meanwhile.
        rig.wait_for(lambda: any(int(n) >= int(last) for n in re.findall('^seen ([0-9]+) ', text_of(seen), re.M)), 'the revision is on disk')

    def test_an_etcd_that_lost_everything_empties_no_table(self):
        w = self.world
        self.a_blog()
        self.etcd.lose()
        rig.wait_for(self.held, 'the table is held')
        self.served()
        self.assertIn('etcd is older than what this router has seen', self.router.log())
        self.assertEqual(self.router.stop(), 0)
        self.router.start()  # the disk remembers, too
        rig.wait_for(self.held, 'the table is held')
        self.served()
        # The backup comes back piece by piece.
        self.etcd.put('config/platform/domain', 'example.com')
        w.app('other')
        w.app('blog')
        w.run('blog_v1.web.1-aaaa', self.o)
        w.run('other_v1.web.1-aaaa', self.o)
        self.served(20)
        self.assertEqual(w.get('other.example.com')[0], 404)
        self.etcd.put('domains/www.blog.test', {'app': 'blog'})
        w.wait_status('other.example.com', 200)
        self.served()
        self.assertFalse(self.held())
        self.assertIn('etcd is trusted again', self.router.log())

    def test_an_etcd_that_lost_everything_changes_no_setting(self):
        w = self.world
        self.a_blog()

        def balanced():
            with rig.Client(w.router.http, '127.0.0.2') as c:
                c.send(b'PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\nGET / HTTP/1.1\r\nHost: www.blog.test\r\n\r\n')
                return c.answer()[0] == 200

        def limited():
            return w.get('www.blog.test', method='POST', extra='Content-Length: 2000\r\n', body=b'a' * 2000)[0] == 413

        def as_set():
            return balanced() and limited()
        self.etcd.put('config/router/proxyRealIpCidr', '127.0.0.2')
        self.etcd.put('config/router/bodySize', '1k')
        self.etcd.put('config/router/proxyProtocol', 'true')
        self.router.wait_for(as_set, 'the settings are in effect')
        gate = self.router.start_behind(self.etcd)
        self.addCleanup(gate.close)
        self.router.wait_for(as_set, 'the settings are in effect')
        gate.hold('/deis/apps/')  # which are read after the settings
        self.etcd.lose()
        rig.wait_for(lambda: gate.waiting, 'it has read that there are no settings')
        self.assertTrue(all(as_set() for _ in range(20)))
        gate.hold(None)
        rig.wait_for(self.held, 'the table is held')
        self.assertTrue(all(as_set() for _ in range(20)))
        self.assertEqual(self.router.stop(), 0)
        self.router.start()
        rig.wait_for(self.held, 'the table is held')
        self.assertTrue(all(as_set() for _ in range(20)))
        self.etcd.put('config/router/acceptStore', 'now')
        rig.wait_for(lambda: not balanced() and not limited(), 'the settings of etcd are in effect')

    def test_an_operator_accepts_an_older_etcd(self):
        w = self.world
        self.a_blog()
        self.etcd.lose()
        rig.wait_for(self.held, 'the table is held')
        self.etcd.put('config/platform/domain', 'example.com')
        w.app('new')
        self.served(20)
        self.etcd.put('config/router/acceptStore', 'now')
        w.wait_status('www.blog.test', 404)
        w.wait_status('new.example.com', 503)  # the other worker may be a moment later
        self.assertFalse(self.held())

    def test_the_last_app_may_go(self):
        w = self.world
        self.a_blog()
        self.etcd.delete('apps/blog')
        self.etcd.delete('domains/www.blog.test')
        w.wait_status('www.blog.test', 404)
        self.assertFalse(self.held())

    def test_a_torn_table_is_refused(self):
        w = self.world
        w.app('blog')
        w.wait_status('blog.example.com', 503)
        saved = os.path.join(self.router.dir, 'routes')
        rig.wait_for(lambda: ' blog\n' in text_of(saved), 'table is on disk')
        self.assertEqual(self.router.stop(), 0)
        self.etcd.stop()
        with open(saved, 'r+') as f:
            f.truncate(f.read().index('\nend ') + 9)  # in the first checksum: changes may stand behind it
        self.router.start()
        self.assertEqual(w.get('blog.example.com')[0], 404)
        self.assertIn('checksum', self.router.log())
        self.etcd.start()

    def test_changes_are_put_behind_the_table_on_disk(self):
        w = self.world
        saved = os.path.join(self.router.dir, 'routes')
        w.app('blog')
        for i in range(100):
            self.etcd.put('domains/first%d.test' % i, {'app': 'blog'})
        rig.wait_for(lambda: text_of(saved).count('host first') == 100, 'table is on disk')
        # While changes follow one another without a pause, they get there, too.
        number = 0

        def more():
            nonlocal number
            self.etcd.put('domains/more%d.test' % number, {'app': 'blog'})
            number += 1
            return 'host more0.test' in text_of(saved)
        rig.wait_for(more, 'the first of many is on disk')
        rig.wait_for(lambda: 'host more%d.test' % (number - 1) in text_of(saved), 'the last one, too')
        file = os.stat(saved).st_ino
        self.etcd.delete('domains/first0.test')
        rig.wait_for(lambda: 'nohost first0.test\n' in text_of(saved), 'one is gone')
        self.etcd.put('domains/last.test', {'app': 'blog'})
        rig.wait_for(lambda: 'host last.test' in text_of(saved), 'that too')
        self.assertEqual(os.stat(saved).st_ino, file)
        self.assertEqual(self.router.stop(), 0)
        self.etcd.stop()
        with open(saved, 'r+') as f:
            f.truncate(f.read().index('host last.test') + 9)
        self.router.start()
        for host, status in (('more0.test', 503), ('more%d.test' % (number - 1), 503), ('first1.test', 503), ('first0.test', 404),
                             ('last.test', 404)):
            self.assertEqual(w.get(host)[0], status, host)
        self.assertIn('torn', self.router.log())
        self.etcd.start()
        w.wait_status('last.test', 503)

    def test_registers_itself(self):
        where = json.loads(rig.wait_for(lambda: self.etcd.get('services/router/r1'), 'the router is registered'))
        self.assertEqual(where['http'], '127.0.0.1:%d' % self.router.http)
        self.assertEqual(self.router.stop(), 0)
        self.assertIsNone(self.etcd.get('services/router/r1'))

    def test_ssh(self):
        w = self.world
        with rig.Client(w.ssh) as c:
            self.assertTrue(c.closed())
        builder = socket.socket()
        builder.bind(('127.0.0.1', 0))
        builder.listen(8)
        builder.settimeout(rig.DEADLINE)
        self.addCleanup(builder.close)
        self.etcd.put('services/builder/b1', {'ssh': '127.0.0.1:%d' % builder.getsockname()[1]})
        rig.wait_for(lambda: any(a['app'] == '@builder' and a['endpoints'] for a in self.router.routes()['apps']), 'builder is known')
        c = rig.Client(w.ssh)
        b, _ = builder.accept()
        data = os.urandom(3000000)
        got = []

        def read_all():
            n = b''
            while True:
                d = b.recv(65536)
                if not d:
                    break
                n += d
            got.append(n)
        t = threading.Thread(target=read_all)
        t.start()
        c.send(data)
        c.s.shutdown(socket.SHUT_WR)
        t.join()
        self.assertEqual(got[0], data)
        threading.Thread(target=lambda: (b.sendall(data), b.close())).start()  # after the client's half-close
        self.assertEqual(c.rest(), data)
        c.close()

    def wait_builder(self, address):
        rig.wait_for(lambda: any(a['app'] == '@builder' and [e['address'] for e in a['endpoints']] == [address]
                                 for a in self.router.routes()['apps']), 'the builder is known')

    def test_builders_are_told_the_client(self):
        """Those that say so, and only where they expect it."""
        w = self.world

        def listener():
            s = socket.socket()
            s.bind(('127.0.0.1', 0))
            s.listen(8)
            s.settimeout(rig.DEADLINE)
            self.addCleanup(s.close)
            return s, '127.0.0.1:%d' % s.getsockname()[1]

        def is_told(builder):
            with rig.Client(w.ssh, '127.0.0.7') as c:
                own = c.s.getsockname()
                b, _ = builder.accept()
                c.send(b'SSH-2.0-test\r\n')
                with b, b.makefile('rb') as f:
                    line = f.readline()
                    told = line == b'PROXY TCP4 127.0.0.7 127.0.0.1 %d %d\r\n' % (own[1], w.ssh)
                    self.assertEqual(f.readline() if told else line, b'SSH-2.0-test\r\n')
                    return told
        # From the first connection on.
        for ranges, told in (('10.0.0.0/8', False), ('nonsense', False), ('127.0.0.0/8, ::1/128', True)):
            builder, address = listener()
            self.etcd.put('services/builder/b1', {'ssh': address, 'proxy_from': ranges})
            self.wait_builder(address)
            self.assertEqual(is_told(builder), told, ranges)
        # And by a router that starts with etcd away.
        rig.wait_for(lambda: address in text_of(os.path.join(self.router.dir, 'routes')), 'the builder is on disk')
        self.assertEqual(self.router.stop(), 0)
        self.etcd.stop()
        self.router.start()
        self.assertTrue(is_told(builder))
        self.etcd.start()

    def test_ssh_to_a_builder_that_does_not_answer(self):
        full = rig.full_queue(self)
        self.etcd.put('services/builder/b1', {'ssh': '127.0.0.1:%d' % full.getsockname()[1]})
        rig.wait_for(lambda: any(a['app'] == '@builder' and a['endpoints'] for a in self.router.routes()['apps']), 'builder is known')
        self.etcd.put('config/router/builder/timeout/connect', '1h')
        with rig.Client(self.world.ssh) as c:
            c.send(b'SSH-2.0-me\r\n')
            self.etcd.put('config/router/builder/timeout/connect', '2s')  # for those that wait already, too
            self.assertTrue(c.closed())
        rig.wait_for(lambda: 'reason="the builder does not answer" after_ms=2000' in self.router.log(), 'the reason is logged')

    def test_one_address_leaves_room_for_ssh_to_others(self):
        w = self.world
        self.etcd.put('config/router/addressConnections', '1000')
        builder = socket.create_server(('127.0.0.1', 0), backlog=1024)
        self.addCleanup(builder.close)
        address = '127.0.0.1:%d' % builder.getsockname()[1]
        self.etcd.put('services/builder/b1', {'ssh': address})
        self.wait_builder(address)

        def enough():
            self.addCleanup(rig.Client(w.ssh, '127.0.0.8').close)
            return self.router.metric('deis_router_ssh_refused_total') > 0
        rig.wait_for(enough, 'one is refused')
        with rig.Client(w.ssh, '127.0.0.7') as c:
            self.assertEqual(select.select([c.s], [], [], 0.5)[0], [])

    def test_ssh_behind_a_load_balancer(self):
        w = self.world
        self.etcd.put('config/router/proxyRealIpCidr', '127.0.0.9/32')
        self.etcd.put('config/router/builder/proxyProtocol', 'true')
        raw = socket.socket()
        raw.bind(('127.0.0.1', 0))
        raw.listen(8)
        raw.settimeout(rig.DEADLINE)
        self.addCleanup(raw.close)
        address = '127.0.0.1:%d' % raw.getsockname()[1]
        self.etcd.put('services/builder/b1', {'ssh': address, 'proxy_from': '127.0.0.0/8'})
        self.wait_builder(address)

        def passed_on(c):
            """The builder's end of the connection; None: the router has closed it."""
            if raw in select.select([c.s, raw], [], [], rig.DEADLINE)[0]:
                return raw.accept()[0]
            self.assertTrue(c.closed())
            return None

        def refused(c):
            b = passed_on(c)
            if b:
                b.close()
            return b is None

        def refused_without_header():
            with rig.Client(w.ssh, '127.0.0.9') as c:
                c.send(b'SSH-2.0-test\r\n')
                return refused(c)
        rig.wait_for(refused_without_header, 'a header is demanded')
        head = b'PROXY TCP4 203.0.113.7 192.0.2.1 4711 22\r\n'

        def told():
            with rig.Client(w.ssh, '127.0.0.9') as c:
                c.send(head + b'SSH-2.0-test\r\n')
                b, _ = raw.accept()
                with b, b.makefile('rb') as f:
                    return f.readline() == head and f.readline() == b'SSH-2.0-test\r\n'
        rig.wait_for(told, 'the client is told')
        self.etcd.put('config/router/addressConnections', '1')
        self.etcd.delete('config/router/builder/proxyProtocol')

        def refused_second():
            with rig.Client(w.ssh, '127.0.0.8') as first:
                b = passed_on(first)
                if not b:
                    return False  # one of the last try still counts
                with b, rig.Client(w.ssh, '127.0.0.8') as second:
                    return refused(second)
        rig.wait_for(refused_second, 'one connection of an address')
        self.assertGreater(self.router.metric('deis_router_ssh_refused_total'), 0)
        self.etcd.delete('config/router/addressConnections')
        self.etcd.delete('config/router/proxyRealIpCidr')

    def test_access_log_reaches_the_logger(self):
        w, o = self.world, self.origin()
        folder = os.path.join(self.router.dir, 'logger')
        os.mkdir(folder)
        port = rig.free_port()
        p = rig.spawn([os.path.join(rig.BIN, 'deis-logger'), '--etcd', self.etcd.url, '--cluster-key', w.key, '--bus',
                       'tcp://127.0.0.1:%d' % port, '--data', folder, '--instance', 'l1'], stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (p.terminate(), p.wait()))
        w.app('blog')
        w.run('blog_v1.web.1-aaaa', o)
        w.wait_status('blog.example.com', 200)
        w.get('blog.example.com', '/find-me?a=b', extra='X-Request-Id: bus-1\r\n')

        def stored(rid='bus-1'):
            for f in glob.glob(folder + '/**', recursive=True):
                if os.path.isfile(f):
                    with open(f, 'rb') as fd:
                        if b'path="/find-me?a=b" host=blog.example.com request_id=' + rid.encode() in fd.read():
                            return True
            return False
        rig.wait_for(stored, 'line is stored')
        self.assertEqual(self.router.metric('deis_router_log_lines_dropped_total'), 0)
        # A router that ends hands over its last lines; it has two seconds for that, in which the logger may not get a turn.
        for i in range(5):
            w.get('blog.example.com', '/find-me?a=b', extra='X-Request-Id: last-words-%d\r\n' % i)
            self.assertEqual(self.router.stop(), 0)
            if stored('last-words-%d' % i):
                break
            self.router.start()
            w.wait_status('blog.example.com', 200)
        else:
            self.fail('no last line was handed over')


if __name__ == '__main__':
    unittest.main(verbosity=2)
