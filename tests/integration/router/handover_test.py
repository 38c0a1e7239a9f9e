# SPDX-License-Identifier: MIT
"""A new router process takes over from the running one: nobody notices, and a failed one changes nothing."""
import contextlib
import multiprocessing
import os
import resource
import select
import signal
import socket
import threading
import time
import unittest

import h2_rig as h2
import rig
from etcd_test import World, text_of
from tls_test import Authority

HOST = 'app.test'
WS = (b'GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: upgrade\r\nUpgrade: websocket\r\n'
      b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')


def request(host=HOST, path='/', extra=''):
    return ('GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (path, host, extra)).encode()


def successor(router, *flags):
    """Start a second process as the router was started; `router` then speaks for the new one. Returns the old process."""
    old = router.p
    with open(router.errors, 'a') as f:
        router.p = rig.spawn([*router.argv, *flags], stderr=f)
    return old


def taken(router, count=1):
    rig.wait_for(lambda: router.log().count('another process has taken over') >= count, 'the new process has taken over')


class Load:
    """Requests at a fixed rate over kept-alive and fresh connections; each failure is kept with its cause."""

    def __init__(self, port, rate=500, clients=10):
        self.port, self.gap = port, clients / rate
        self.failures, self.done, self.lock = [], 0, threading.Lock()
        self.stop_now = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(clients)]
        for t in self.threads:
            t.start()

    def run(self, n):
        c, due = None, time.monotonic()
        while not self.stop_now.is_set():
            try:
                c = c or rig.Client(self.port)
                c.send(request(extra='Connection: close\r\n' if n % 3 == 0 else ''))
                status, fields, body = c.answer()
                if status != 200:
                    raise OSError('status %d' % status)
                if fields.get('connection') == 'close':
                    c.close()
                    c = None
            except (OSError, EOFError) as e:
                with self.lock:
                    self.failures.append(repr(e))
                if c:
                    c.close()
                c = None
            with self.lock:
                self.done += 1
            due += self.gap
            time.sleep(max(0, due - time.monotonic()))  # the rate of the load
        if c:
            c.close()

    def stop(self):
        self.stop_now.set()
        for t in self.threads:
            t.join()
        return self.failures


class EchoOrigin:
    """A process that upgrades each connection and echoes raw bytes, for thousands of them."""

    def __init__(self):
        self.s = socket.create_server(('127.0.0.1', 0), backlog=4096)
        self.s.setblocking(False)
        self.port = self.s.getsockname()[1]
        self.p = multiprocessing.get_context('fork').Process(target=self.serve, daemon=True)
        self.p.start()
        self.s.close()

    def close(self):
        self.p.kill()
        self.p.join()

    def serve(self):
        self.poll, self.open = select.epoll(), {}
        self.poll.register(self.s, select.EPOLLIN)
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.s.fileno():
                    c, _ = self.s.accept()
                    self.open[c.fileno()] = (c, [b''])
                    self.poll.register(c, select.EPOLLIN)
                else:
                    self.one(fd)

    def one(self, fd):
        c, buf = self.open[fd]
        try:
            data = c.recv(65536)
        except OSError:
            data = b''
        if not data:
            del self.open[fd]
            c.close()
        elif buf[0] is None:
            c.sendall(data)
        else:
            buf[0] += data
            if b'\r\n\r\n' in buf[0]:
                buf[0] = None
                c.sendall(b'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')


class HandOver(unittest.TestCase):
    def origin(self, tag='origin'):
        o = rig.Origin(tag)
        self.addCleanup(o.close)
        return o

    def static(self, routes, *flags, workers=2):
        r = rig.Static(routes, *flags, workers=workers)
        self.addCleanup(r.clear)
        return r.start()

    def ends(self, p, status=0):
        self.assertEqual(p.wait(rig.DEADLINE), status)

    def test_what_is_under_way_is_finished(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        busy = [rig.Client(r.http).send(request(path='/gate')) for _ in range(5)]
        ws = rig.Client(r.http).send(WS % HOST.encode())
        self.assertEqual(ws.answer()[0], 101)
        self.assertEqual(rig.ws_read(ws.take)[1], b'hello')
        up = rig.Client(r.http).send(request(path='/echo', extra='Content-Length: 200000\r\n').replace(b'GET', b'POST') + b'a' * 1000)
        idle = rig.Client(r.http).send(request())
        idle.answer()
        rig.wait_for(lambda: len(o.requests) >= 7, 'all arrive')
        old = successor(r)
        taken(r)
        self.assertTrue(r.is_well())
        self.assertEqual(rig.get(r.http, HOST)[2], b'origin')
        self.assertIsNone(old.poll())
        up.send(b'a' * 199000)
        self.assertEqual(up.answer()[2], b'a' * 200000)
        ws.send(rig.ws_frame(b'still here', 1, b'mask'))
        self.assertEqual(rig.ws_read(ws.take)[1], b'still here')
        o.gate.set()
        for c in busy:
            status, fields, body = c.answer()
            self.assertEqual((status, fields['connection'], body), (200, 'close', b'origin'))
        # A connection that was idle is not closed under its client's hands: it ends with its next answer.
        idle.send(request())
        status, fields, body = idle.answer()
        self.assertEqual((status, fields['connection']), (200, 'close'))
        self.assertIsNone(old.poll())
        ws.send(rig.ws_frame(b'', 8, b'mask'))
        ws.rest()
        for c in (*busy, ws, up, idle):
            c.close()
        self.ends(old)

    def test_one_after_the_other_while_the_first_still_finishes(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        held = []
        for n in range(1, 4):
            ws = rig.Client(r.http).send(WS % HOST.encode())
            self.addCleanup(ws.close)
            self.assertEqual(ws.answer()[0], 101)
            self.assertEqual(rig.ws_read(ws.take)[1], b'hello')
            held.append((successor(r), ws))
            taken(r, n)
            self.assertEqual(r.metric('deis_router_tunnels'), 0)
            self.assertEqual(rig.get(r.http, HOST)[2], b'origin')
        for i in (1, 0, 0):  # the order in which they are done is up to their clients
            for old, ws in held:
                ws.send(rig.ws_frame(b'still here', 1, b'mask'))
                self.assertEqual(rig.ws_read(ws.take)[1], b'still here')
                self.assertIsNone(old.poll())
            old, ws = held.pop(i)
            ws.send(rig.ws_frame(b'', 8, b'mask'))
            ws.rest()
            ws.close()
            self.ends(old)
        self.assertEqual(rig.get(r.http, HOST)[2], b'origin')

    def test_under_load_nothing_fails(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        load = Load(r.http)
        for n in range(1, 4):
            before = load.done
            rig.wait_for(lambda: load.done > before + 300, 'load goes on')
            old = successor(r)
            taken(r, n)
            self.ends(old)
        before = load.done
        rig.wait_for(lambda: load.done > before + 300, 'load goes on')
        self.assertEqual(load.stop(), [])

    def test_ten_thousand_idle_websockets(self):
        # The router needs two descriptors each; where not even root may have more, as many as there can be.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        count = min(10000, (hard - 200) // 2)
        self.assertGreater(count, 100)
        o = EchoOrigin()
        self.addCleanup(o.close)
        r = self.static([(HOST, o.port)])
        clients = []
        for i in range(count):
            c = socket.socket()
            c.settimeout(rig.DEADLINE)
            c.bind(('127.0.0.%d' % (1 + i % 8), 0))
            c.connect(('127.0.0.1', r.http))
            c.sendall(WS % HOST.encode())
            clients.append(c)
            if i % 1000 == 999:  # no more than the unit's queue holds
                rig.wait_for(lambda: r.metric('deis_router_tunnels') > i - 2000, 'the unit keeps up')
        rig.wait_for(lambda: r.metric('deis_router_tunnels') == count, 'all are tunnels')
        for c in clients:
            self.assertIn(b' 101 ', c.recv(4096))
        old = successor(r)
        taken(r)
        self.assertEqual(r.metric('deis_router_tunnels'), 0)
        lost = 0
        for c in clients:
            c.sendall(b'are you there?')
        for c in clients:
            lost += c.recv(4096) != b'are you there?'
        print('%d WebSockets over a hand-over: %d lost' % (count, lost), flush=True)
        self.assertEqual(lost, 0)
        for c in clients:
            c.close()
        self.ends(old)

    def test_another_number_of_workers(self):
        o = self.origin()
        r = self.static([(HOST, o.port)], workers=4)
        load = Load(r.http)
        at = r.argv.index('--workers') + 1
        for n, workers in enumerate(('1', '3', '2'), 1):
            r.argv[at] = workers
            old = successor(r)
            taken(r, n)
            self.ends(old)
        before = load.done
        rig.wait_for(lambda: load.done > before + 300, 'load goes on')
        self.assertEqual(load.stop(), [])

    def test_a_new_process_that_fails_changes_nothing(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        load = Load(r.http, rate=200)
        ours = r.p
        for n, flags in enumerate((('--routes', '/nonexistent'), ('--metrics', '127.0.0.1:%d' % o.port)), 1):
            new = successor(r, *flags)
            self.assertEqual(new, ours)
            self.assertEqual(r.p.wait(rig.DEADLINE), 1)
            r.p = ours
            rig.wait_for(lambda: r.log().count('the hand-over failed') == n, 'the old one notices')
        before = load.done
        rig.wait_for(lambda: load.done > before + 100, 'load goes on')
        self.assertEqual(load.stop(), [])
        self.assertIsNone(ours.poll())
        old = successor(r)  # and another one may still take over
        taken(r)
        self.ends(old)
        self.assertEqual(rig.get(r.http, HOST)[0], 200)

    def test_killed_ones_start_afresh(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        old = successor(r)
        taken(r)
        self.ends(old)
        r.p.kill()
        r.p.wait()
        r.start()
        self.assertEqual(rig.get(r.http, HOST)[0], 200)

    def test_only_one_with_the_same_address_takes_over(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        other = rig.Static([(HOST, o.port)])
        self.addCleanup(other.clear)
        other.argv[other.argv.index('--data') + 1] = r.dir
        other.start()
        self.assertIn('this router has another --http', other.log())
        self.assertEqual(rig.get(r.http, HOST)[0], 200)
        self.assertEqual(rig.get(other.http, HOST)[0], 200)
        self.assertIsNone(r.p.poll())

    def test_nonsense_on_the_socket_changes_nothing(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        path = os.path.join(r.dir, 'handover')
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        said = ([b''], [b'HELLO'], [b'TAKE'], [b'x' * 5000], [b'HELLO 99999 ' + b'a' * 190],
                [b'HELLO 1 127.0.0.1:%d' % r.http, b'TAKEN'], [b'HELLO 1 127.0.0.1:%d' % r.http, b'TAKE', b'TAKE'],
                [b'HELLO 1 127.0.0.1:%d' % r.http, b'TAKE', b'HELLO 1 x'])
        for packets in said:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.settimeout(rig.DEADLINE)
                s.connect(path)
                try:
                    for p in packets:
                        s.send(p)
                    while s.recv(1000):
                        pass
                except OSError:
                    pass
        # Sockets that are sent to the router are closed, and it serves on.
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(path)
            socket.send_fds(s, [b'HELLO 1 127.0.0.1:%d' % r.http], [0, 1, 2])
            self.assertEqual(s.recv(1000), b'REFUSED 3 sockets came where 0 were named')
            self.assertEqual(s.recv(1000), b'')
        self.assertEqual(rig.get(r.http, HOST)[0], 200)
        old = successor(r)
        taken(r)
        self.ends(old)

    def test_tls_connections_live_on_in_the_old_one(self):
        o, ca, https = self.origin(), Authority(), rig.free_port()
        self.addCleanup(ca.clear)
        cert, key = ca.issue(HOST)
        r = self.static([(HOST, o.port)], '--https', '127.0.0.1:%d' % https, '--cert', cert, '--key', key)

        def client():
            c = rig.Client(https)
            c.s = ca.context().wrap_socket(c.s, server_hostname=HOST)
            self.addCleanup(c.close)
            return c
        ws = client().send(WS % HOST.encode())
        self.assertEqual(ws.answer()[0], 101)
        self.assertEqual(rig.ws_read(ws.take)[1], b'hello')
        idle = client().send(request())
        self.assertEqual(idle.answer()[0], 200)
        old = successor(r)
        taken(r)
        self.assertEqual(client().send(request()).answer()[0], 200)
        ws.send(rig.ws_frame(b'still here', 1, b'mask'))
        self.assertEqual(rig.ws_read(ws.take)[1], b'still here')
        idle.send(request())
        self.assertEqual(idle.answer()[1]['connection'], 'close')
        self.assertIsNone(old.poll())
        ws.send(rig.ws_frame(b'', 8, b'mask'))
        ws.rest()
        ws.close()
        idle.close()
        self.ends(old)

    def test_http2_clients_are_told_and_finish_their_streams(self):
        o = self.origin()
        r = self.static([(HOST, o.port)], '--h2c')
        c = h2.plain(r.http, HOST)
        self.addCleanup(c.close)
        sid = c.open(path='/gate')
        rig.wait_for(lambda: o.requests, 'it arrives')
        old = successor(r)
        taken(r)
        while len(c.goaways) < 2:
            c.step()
        self.assertEqual([g[1] for g in c.goaways], [h2.NO_ERROR, h2.NO_ERROR])
        again = h2.plain(r.http, HOST)
        self.addCleanup(again.close)
        self.assertEqual(again.get().status, 200)
        o.gate.set()
        self.assertEqual(c.answer(sid).body, b'origin')
        self.assertEqual(c.end(), h2.NO_ERROR)
        self.ends(old)

    def test_what_the_old_one_may_say(self):
        """The new process against an old one that is played here."""
        o = self.origin()
        for last in (b'REFUSED too slow', b'nonsense', b'END', None):
            r = rig.Static([(HOST, o.port)], workers=1)
            self.addCleanup(r.clear)
            with socket.create_server(('127.0.0.1', r.http)) as listener, \
                    socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                listener.setblocking(False)  # the new one is to find it as a router has it
                s.bind(os.path.join(r.dir, 'handover'))
                s.listen()
                s.settimeout(rig.DEADLINE)
                successor(r)
                c, _ = s.accept()
                self.assertEqual(c.recv(1000), b'HELLO 1 127.0.0.1:%d' % r.http)
                socket.send_fds(c, [b'SOCKETS http 1'], [listener.fileno()])
                c.send(b'END')
                self.assertEqual(c.recv(1000), b'TAKE')
                if last:
                    c.send(last)
                    self.assertEqual(r.p.wait(rig.DEADLINE), 1)
                    self.assertIn("can't go on", r.log())
                    r.p = None
                c.close()
            if not last:  # it has ended without a word: the new one has to serve, on the same socket
                rig.wait_for(r.is_well, 'it serves')
                self.assertEqual(rig.get(r.http, HOST)[2], b'origin')

    def test_the_old_one_ends_at_its_deadline(self):
        o = self.origin()
        r = self.static([(HOST, o.port)], '--leave-timeout', '300ms')
        busy = rig.Client(r.http).send(request(path='/gate'))
        rig.wait_for(lambda: o.requests, 'it arrives')
        old = successor(r)
        taken(r)
        self.ends(old)
        self.assertTrue(busy.closed())
        busy.close()

    def test_sigterm_while_leaving(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        idle = rig.Client(r.http).send(request())
        idle.answer()
        old = successor(r)
        taken(r)
        self.assertIsNone(old.poll())
        old.send_signal(signal.SIGTERM)
        self.ends(old)
        self.assertEqual(rig.get(r.http, HOST)[0], 200)
        idle.close()

    def test_sigterm_finishes_uploads_slow_answers_and_tunnels(self):
        o = self.origin()
        r = self.static([(HOST, o.port)])
        ws = rig.Client(r.http).send(WS % HOST.encode())
        self.assertEqual(ws.answer()[0], 101)
        self.assertEqual(rig.ws_read(ws.take)[1], b'hello')
        slow = rig.Client(r.http).send(request(path='/gate'))
        up = rig.Client(r.http).send(request(path='/echo', extra='Content-Length: 200000\r\n').replace(b'GET', b'POST') + b'a' * 1000)
        rig.wait_for(lambda: len(o.requests) == 2, 'all arrive')
        r.p.send_signal(signal.SIGTERM)
        rig.wait_for(lambda: not rig.can_connect(r.http), 'router accepts no more')
        up.send(b'a' * 199000)
        self.assertEqual(up.answer()[2], b'a' * 200000)
        ws.send(rig.ws_frame(b'x', 1, b'mask'))
        self.assertEqual(rig.ws_read(ws.take)[1], b'x')
        self.assertIsNone(r.p.poll())
        o.gate.set()
        self.assertEqual(slow.answer()[2], b'origin')
        ws.send(rig.ws_frame(b'', 8, b'mask'))
        ws.rest()
        for c in (ws, slow, up):
            c.close()
        self.assertEqual(r.stop(None), 0)


def number_of_sockets(pid):
    with contextlib.suppress(OSError):
        return sum(os.readlink('/proc/%d/fd/%s' % (pid, fd)).startswith('socket:') for fd in os.listdir('/proc/%d/fd' % pid))
    return 0


class WithEtcd(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.clear)
        self.etcd, self.router = self.world.etcd, self.world.router
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)

    def leaving(self):
        kvs = self.etcd.call('kv/range', key='/deis/services/router/', range_end='/deis/services/router0').get('kvs', [])
        return [k for k in (rig.base64.b64decode(kv['key']).decode().rsplit('/', 1)[1] for kv in kvs) if '-leaving-' in k]

    def test_units_in_use_by_either_are_not_stopped(self):
        w, u = self.world, 'blog_v1.web.1-aaaa'
        w.app('blog')
        w.run(u, self.origin)
        w.wait_units('blog', u)
        ws = rig.Client(self.router.http).send(WS % b'blog.example.com')
        self.assertEqual(ws.answer()[0], 101)
        old = successor(self.router)
        taken(self.router)
        name = rig.wait_for(self.leaving, 'the old one is there under its other name')[0]
        self.assertIsNotNone(self.etcd.get('services/router/r1'))
        self.assertEqual(w.get('blog.example.com')[0], 200)
        w.unit(u, 'drain')
        rig.wait_for(lambda: self.etcd.get('drained/r1/' + u), 'the new one is done with the unit')
        self.assertIsNone(self.etcd.get('drained/%s/%s' % (name, u)))
        ws.send(rig.ws_frame(b'', 8, b'mask'))
        ws.rest()
        ws.close()
        # All that was its own goes with it; what is the instance's stays.
        self.assertEqual(old.wait(rig.DEADLINE), 0)
        rig.wait_for(lambda: not self.leaving(), 'its registration goes')
        self.assertIsNone(self.etcd.get('drained/%s/%s' % (name, u)))
        self.assertIsNotNone(self.etcd.get('services/router/r1'))
        self.assertIsNotNone(self.etcd.get('drained/r1/' + u))

    def test_the_old_one_says_that_a_unit_is_drained(self):
        w, u, v = self.world, 'blog_v1.web.1-aaaa', 'blog_v1.web.2-bbbb'
        other = rig.Origin('other')
        self.addCleanup(other.close)
        w.app('blog')
        w.run(u, self.origin)
        w.wait_units('blog', u)
        ws = rig.Client(self.router.http).send(WS % b'blog.example.com')
        self.assertEqual(ws.answer()[0], 101)
        w.run(v, other)
        w.wait_units('blog', u, v)
        old = successor(self.router)
        taken(self.router)
        name = rig.wait_for(self.leaving, 'the old one is there under its other name')[0]
        w.unit(v, 'drain')
        rig.wait_for(lambda: self.etcd.get('drained/%s/%s' % (name, v)) and self.etcd.get('drained/r1/' + v), 'both are done with it')
        self.assertIsNone(old.poll())
        ws.send(rig.ws_frame(b'', 8, b'mask'))
        ws.rest()
        ws.close()
        self.assertEqual(old.wait(rig.DEADLINE), 0)
        rig.wait_for(lambda: not self.etcd.get('drained/%s/%s' % (name, v)), 'what it said goes with it')

    def test_ssh_sessions(self):
        w = self.world
        builder = socket.create_server(('127.0.0.1', 0))
        builder.settimeout(rig.DEADLINE)
        self.addCleanup(builder.close)
        self.etcd.put('services/builder/b1', {'ssh': '127.0.0.1:%d' % builder.getsockname()[1]})
        rig.wait_for(lambda: any(a['app'] == '@builder' and a['endpoints'] for a in self.router.routes()['apps']), 'builder is known')
        before = rig.Client(w.ssh)
        b, _ = builder.accept()
        old = successor(self.router)
        taken(self.router)
        after = rig.Client(w.ssh)
        a, _ = builder.accept()
        for c, s in ((before, b), (after, a)):
            c.send(b'over')
            self.assertEqual(s.recv(4), b'over')
            s.sendall(b'back')
            self.assertEqual(c.take(4), b'back')
        self.assertIsNone(old.poll())
        b.close()
        before.rest()
        before.close()
        self.assertEqual(old.wait(rig.DEADLINE), 0)
        after.close()
        a.close()

    def test_more_workers_keep_nobody_waiting(self):
        """They have sockets of their own, and get no client until they serve."""
        w = self.world
        w.app('blog')
        w.run('blog_v1.web.1-aaaa', self.origin)
        w.wait_status('blog.example.com', 200)
        rig.wait_for(lambda: ' blog\n' in text_of(os.path.join(self.router.dir, 'routes')), 'table is on disk')
        self.etcd.stop()  # the new process waits for it for a while
        old = successor(self.router, '--workers', '8')
        new, self.router.p = self.router.p, old
        rig.wait_for(lambda: number_of_sockets(new.pid) >= 8, 'it has its sockets')
        self.assertEqual([rig.get(self.router.http, 'blog.example.com')[0] for _ in range(50)], [200] * 50)
        self.assertNotIn('another process has taken over', self.router.log())
        self.router.p = new
        taken(self.router)
        self.assertEqual(old.wait(rig.DEADLINE), 0)
        self.assertEqual([rig.get(self.router.http, 'blog.example.com')[0] for _ in range(50)], [200] * 50)

    def test_without_etcd(self):
        w, u = self.world, 'blog_v1.web.1-aaaa'
        w.app('blog')
        w.run(u, self.origin)
        w.wait_status('blog.example.com', 200)
        saved = os.path.join(self.router.dir, 'routes')
        rig.wait_for(lambda: ' blog\n' in text_of(saved), 'table is on disk')
        self.etcd.stop()
        load = Load(self.router.http, rate=50, clients=1)
        load.stop()
        old = successor(self.router)
        rig.wait_for(lambda: 'another process has taken over' in self.router.log(), 'the new one serves from disk')
        self.assertEqual(old.wait(rig.DEADLINE), 0)
        self.assertEqual(w.get('blog.example.com')[0], 200)
        self.etcd.start()
        rig.wait_for(lambda: self.etcd.get('services/router/r1'), 'it is registered')
        w.app('late')
        w.wait_status('late.example.com', 503)


if __name__ == '__main__':
    unittest.main(verbosity=2)
