# SPDX-License-Identifier: MIT
"""What is left over when an answer is complete, of it or of its request, costs nobody else an answer."""
import signal
import socket
import struct
import unittest

import batch_test
import h2_rig as h2
import rig
import tls_test

HOST = 'app.site.test'
EVIL = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
LENGTH = 300000


class Origin(rig.Origin):
    def answer_over(self, c, f, method, path, fields, body):
        """More than it announces, behind a body so large that it is not read together with its end."""
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % LENGTH + bytes(LENGTH) + EVIL)
        return True

    def answer_part(self, c, f, method, path, fields, body):
        c.sendall(b'HTTP/1.1 200 OK\r\n\r\nfirst half')
        self.gate.wait(rig.DEADLINE)
        return False

    def early_soon(self, c):
        """All of its answer as soon as the head of the request is here."""
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n' + bytes(70000))


def get(path='', host=HOST):
    return b'GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n' % (path.encode(), host.encode())


class Case(unittest.TestCase):
    def setUp(self):
        self.origin = Origin()
        self.addCleanup(self.origin.close)

    def start(self, *flags):
        self.router = rig.Static([(HOST, self.origin.port)], *flags, workers=1).start()
        self.addCleanup(self.router.clear)

    def client(self):
        c = rig.Client(self.router.http)
        self.addCleanup(c.close)
        return c


class Answers(Case):
    def test_more_than_a_large_answer_is_no_next_answer(self):
        self.start()
        for _ in range(10):
            c = self.client()
            c.send(get('over') + get('next'))
            self.assertEqual(len(c.answer()[2]), LENGTH)
            self.assertEqual(c.answer()[2], b'origin')

    def test_what_was_sent_before_a_request_is_not_its_answer(self):
        """A unit's connection is idle, and in one turn a request comes and then bytes of the unit that nobody asked for."""
        self.start()
        for _ in range(3):
            self.origin.gate.clear()
            a, b = self.client(), self.client()
            self.assertEqual(b.send(get()).answer()[2], b'origin')
            self.assertEqual(a.send(get('late')).answer()[2], b'four')
            ports = self.origin.ports()
            with batch_test.OneTurn(self.router):
                b.send(get('next'))
                rig.wait_for(lambda: rig.unread(self.router.http), 'the request is there')
                self.origin.gate.set()
                rig.wait_for(lambda: any(rig.unread(port) for port in ports), 'what nobody asked for is there')
            self.assertEqual(b.answer()[2], b'origin')

    def test_a_router_that_ends_at_once_does_not_make_half_an_answer_look_whole(self):
        self.start()
        with rig.Client(self.router.http) as c:
            c.send(b'GET /part HTTP/1.0\r\nHost: %s\r\n\r\n' % HOST.encode()).until(b'first half')
            self.router.p.send_signal(signal.SIGTERM)
            rig.wait_for(lambda: 'msg=stopping' in self.router.log(), 'it drains')
            self.router.p.send_signal(signal.SIGTERM)
            with self.assertRaises(ConnectionResetError):
                c.s.recv(100)
        self.assertEqual(self.router.p.wait(rig.DEADLINE), 0)
        self.origin.gate.set()


class Requests(Case):
    def test_the_rest_of_a_record_of_tls_keeps_nobody_waiting(self):
        """A refused body of which TLS holds a part, while the connection ends."""
        ca = tls_test.Authority()
        self.addCleanup(ca.clear)
        https, pair = rig.free_port(), ca.issue(HOST)
        self.start('--https', '127.0.0.1:%d' % https, '--cert', pair[0], '--key', pair[1], '--body-size', '1m', '--cluster-key',
                   '/nonexistent')
        c = tls_test.Client(https, ca.context(), HOST)
        self.addCleanup(c.close)
        c.send(b'POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 9000000\r\n\r\n' % HOST.encode() + b'a' * 12000)
        self.assertEqual(c.answer()[0], 413)
        try:
            self.assertEqual(self.client().send(get()).answer()[0], 200)
        except TimeoutError:
            self.router.p.kill()
            raise

    def test_a_refused_body_does_not_cost_answers_that_wait(self):
        """A client that reads late has sent so many requests that the page for the last one waits, and sends on."""
        self.start('--body-size', '1m')
        one, last = get(host='none.test'), b'POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 9000000\r\n\r\n' % HOST.encode()

        def connect():
            s = socket.socket()
            self.addCleanup(s.close)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            s.settimeout(1)
            s.connect(('127.0.0.1', self.router.http))
            return s

        def requests():
            return int(self.router.metric('deis_router_requests_total'))
        before, s = requests(), connect()
        with self.assertRaises(OSError):
            for _ in range(1000):
                s.sendall(one * 100)
        room = requests() - before  # answers that fit
        s.close()
        for number in range(room - 12, room + 4):
            s, data, before = connect(), b'', requests()
            s.settimeout(rig.DEADLINE)
            all_read = lambda: requests() == before + number + 1
            seen = [before]

            def is_full():
                """Answers wait, and no request was read since the last look."""
                seen.append(requests())
                return seen[-1] == seen[-2] > before and self.router.metric('deis_router_buffer_bytes') > 0
            s.sendall(one * number + last)
            rig.wait_for(lambda: all_read() or is_full(), 'all are read, or answers wait')
            s.sendall(b'x' * 1000)
            if all_read():
                rig.wait_for(lambda: not rig.unread(self.router.http), 'that, too')
            while piece := s.recv(65536):
                data += piece
            self.assertEqual((data.count(b'HTTP/1.1 404'), data.count(b'HTTP/1.1 413')), (number, 1))
            self.assertTrue(data.endswith(b'</html>\n'))

    def test_an_early_answer_outlives_the_end_of_its_request(self):
        self.start('--h2c')
        for more in ({}, {'content_length': '10'}):
            with self.subTest(more=more):
                c = h2.plain(self.router.http, HOST, credit=False)
                self.addCleanup(c.close)
                sid = c.open(end=False, method='POST', path='/soon', **more)
                c.data(sid, b'12345')
                while len(c.answers[sid].body) < 65535:  # the rest waits for credit
                    c.step()
                c.data(sid, b'67890', end=True)
                c.ping()
                for s in (0, sid):
                    c.frame(h2.WINDOW_UPDATE, 0, s, struct.pack('!I', 1 << 20))
                a = c.answer(sid)
                self.assertEqual((a.status, len(a.body)), (200, 70000))


if __name__ == '__main__':
    unittest.main(verbosity=2)
