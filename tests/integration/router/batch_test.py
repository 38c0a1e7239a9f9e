# SPDX-License-Identifier: MIT
"""Many requests and answers that are due in one turn of a worker's loop, with io_uring and without."""
import contextlib
import glob
import signal
import socket
import struct
import threading
import unittest

import rig

HOST = 'app.test'
CROWD = 100


class Origin(rig.Origin):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.answered = 0

    def answer_gate(self, *a):
        kept = super().answer_gate(*a)
        with self.lock:
            self.answered += 1
        return kept

    def answer_page(self, c, f, method, path, fields, body):
        """6000 bytes that tell the page's number."""
        return self.plain(c, path.split('/')[2].encode().zfill(6) * 1000)


def request(path, method='GET', body=b'', extra=''):
    length = 'Content-Length: %d\r\n' % len(body) if body else ''
    return ('%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n' % (method, path, HOST, length, extra)).encode() + body


class OneTurn:
    """What happens within the block, the router sees when it looks for the first time."""

    def __init__(self, router):
        self.router = router

    def __enter__(self):
        self.router.p.send_signal(signal.SIGSTOP)
        rig.wait_for(lambda: self.states() == {'T'}, 'router stops')

    def __exit__(self, *a):
        self.router.p.send_signal(signal.SIGCONT)

    def states(self):
        """Of its threads: one that still runs would take turns of its own."""
        states = set()
        for path in glob.glob('/proc/%d/task/*/stat' % self.router.p.pid):
            with open(path) as f:
                states.add(f.read().rsplit(')', 1)[1].split()[0])
        return states


class Cases:
    flags = ()

    def setUp(self):
        self.origin = Origin()
        self.router = rig.Static([(HOST, self.origin.port)], *self.flags, workers=1).start()
        self.addCleanup(self.router.clear)
        self.addCleanup(self.origin.close)
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.clients = [self.stack.enter_context(rig.Client(self.router.http)) for _ in range(CROWD)]

    def together(self):
        return self.router.metric('deis_router_sends_together_total')

    def at_rest(self):
        return 'deis_router_app_in_flight{app="app.test"} 0\n' in self.router.admin('/metrics')

    def hold_all(self):
        """Each client has a request at the unit."""
        for c in self.clients:
            c.send(request('/gate'))
        rig.wait_for(lambda: len(self.origin.requests) == CROWD, 'the unit has all requests')

    def answer_in_one_turn(self):
        with OneTurn(self.router):
            self.origin.gate.set()
            rig.wait_for(lambda: self.origin.answered == CROWD, 'the unit has answered')

    def warm(self):
        """There is an idle connection to the unit for each client."""
        self.hold_all()
        self.answer_in_one_turn()
        for c in self.clients:
            self.assertEqual(c.answer()[0], 200)

    def test_answers_and_requests_of_one_turn(self):
        self.warm()
        with OneTurn(self.router):
            for i, c in enumerate(self.clients):
                c.send(request('/echo', 'PUT', b'%d' % i))
        for i, c in enumerate(self.clients):
            self.assertEqual(c.answer()[2], b'%d' % i)
        self.assertEqual(self.origin.connections, CROWD)
        self.assertEqual(len(self.origin.requests), 2 * CROWD)
        self.check_together()
        rig.wait_for(self.at_rest, 'no request is in flight')

    def test_pipelined_requests_stay_in_order(self):
        self.warm()
        with OneTurn(self.router):
            for i, c in enumerate(self.clients):
                c.send(b''.join(request('/page/%d' % (10 * i + k)) for k in range(10)))
        for i, c in enumerate(self.clients):
            for k in range(10):
                self.assertEqual(c.answer()[2], (b'%d' % (10 * i + k)).zfill(6) * 1000)

    def test_clients_that_do_not_read(self):
        """Their sockets take part of an answer, or nothing."""
        self.warm()
        clients = []
        for _ in range(20):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(rig.DEADLINE)
            s.connect(('127.0.0.1', self.router.http))
            clients.append(s)
            self.addCleanup(s.close)
        pages = 700  # 4 MB each: more than the sockets hold
        done = []

        def ask(s):
            s.sendall(b''.join(request('/page/%d' % k) for k in range(pages)))

        threads = [threading.Thread(target=ask, args=(s,)) for s in clients]
        for t in threads:
            t.start()

        counts = []

        def stalled():
            counts.append(len(self.origin.requests))
            return len(counts) > 30 and counts[-30] == counts[-1]
        rig.wait_for(stalled, 'no client is sent anything more')
        self.assertLess(len(self.origin.requests), CROWD + len(clients) * pages)

        def read(s):
            c = rig.Client.__new__(rig.Client)
            c.s, c.buf = s, b''
            if all(c.answer()[2] == (b'%d' % k).zfill(6) * 1000 for k in range(pages)):
                done.append(s)

        readers = [threading.Thread(target=read, args=(s,)) for s in clients]
        for t in readers:
            t.start()
        for t in readers + threads:
            t.join()
        self.assertEqual(len(done), len(clients))

    def test_clients_that_leave_in_the_turn_of_their_answer(self):
        self.hold_all()
        with OneTurn(self.router):
            self.origin.gate.set()
            rig.wait_for(lambda: self.origin.answered == CROWD, 'the unit has answered')
            for c in self.clients[::2]:
                c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                c.close()
        for c in self.clients[1::2]:
            self.assertEqual(c.answer()[0], 200)
        rig.wait_for(self.at_rest, 'no request is in flight')

    def test_units_that_close_in_the_turn_of_a_request(self):
        """What cannot be repeated is done once, whatever connection it was first meant for."""
        self.warm()
        with OneTurn(self.router):
            with self.origin.lock:
                for c in self.origin.open:
                    c.shutdown(socket.SHUT_RDWR)
            for i, c in enumerate(self.clients):
                c.send(request('/echo', 'POST' if i % 2 else 'GET', b'%d' % i))
        for i, c in enumerate(self.clients):
            status, _, body = c.answer()
            self.assertEqual((status, body), (200, b'%d' % i))
        bodies = sorted(int(r[2]) for r in self.origin.requests if r[0].startswith('POST'))
        self.assertEqual(bodies, list(range(1, CROWD, 2)))


class Together(Cases, unittest.TestCase):
    def setUp(self):
        super().setUp()
        if 'io_uring is not to be had' in self.router.log():
            self.skipTest('io_uring is not to be had here')

    def check_together(self):
        self.assertGreater(self.together(), CROWD)


class OneByOne(Cases, unittest.TestCase):
    flags = ('--io-uring=false',)

    def check_together(self):
        self.assertEqual(self.together(), 0)


if __name__ == '__main__':
    unittest.main()
