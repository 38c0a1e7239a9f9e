# SPDX-License-Identifier: MIT
"""The firewall and the world around it: units that fail or are slow, memory, switches, a module that is not there."""
import json
import select
import socket
import threading
import unittest
import urllib.parse

import batch_test
import h2_rig as h2
import handover_test
import rig
import unit_h2_test
from etcd_test import World
from firewall_test import AGENT, FORM, HOST, SQLI, chunked, form, head, post


class Units(unittest.TestCase):
    """A body that is held meets units that do not take it at once."""

    def start(self, *ports, flags=()):
        router = rig.Static([(HOST, p) for p in ports], '--firewall', '--firewall-body-size', '1m', '--h2c', *flags, workers=1)
        self.addCleanup(router.clear)
        return router.start()

    def passes_on(self, router, unit, method, one, size):
        """Until a request has met the unit that fails: whole bodies come to the other one all the same."""
        def sent():
            with rig.Client(router.http) as c:
                body = form('u' * size, i=len(unit.requests))
                self.assertEqual(c.send(one(FORM, body, method=method)).answer()[::2], (200, body))
                self.assertEqual(unit.requests[-1][2], body)
            return router.metric('deis_router_retries_total') > 0
        rig.wait_for(sent, 'one is sent again')

    def test_another_unit(self):
        for one in (post, chunked):
            for size in (10, 30000, 120000, 300000):
                for method in ('POST', 'PUT'):  # without a connection each may be sent again, else not POST
                    drop, well = rig.Origin(), rig.Origin()
                    drop.answer_echo = drop.answer_drop
                    failing = rig.free_port() if method == 'POST' else drop.port
                    with self.subTest(size=size, method=method, one=one):
                        self.passes_on(self.start(failing, well.port), well, method, one, size)
                        self.assertTrue(all(len(body) >= size for _, _, body in drop.requests))
                    drop.close()
                    well.close()

    def test_a_unit_that_reads_late(self):
        late = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(late.close)
        late.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        late.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        router = self.start(late.getsockname()[1])
        for one in (post, chunked):
            body = form('l' * 600000)
            c = rig.Client(router.http)
            self.addCleanup(c.close)
            c.send(one(FORM, body) + head(FORM, path='/next', method='GET'))
            unit, _ = late.accept()
            self.addCleanup(unit.close)
            rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') > len(body), 'it is held')
            origin = rig.Origin()
            self.addCleanup(origin.close)
            with unit.makefile('rb') as f:
                self.assertTrue(origin.one(unit, f))
                self.assertEqual(c.answer()[::2], (200, body))
                self.assertTrue(origin.one(unit, f))
            self.assertEqual(c.answer()[::2], (200, b'origin'))
            self.assertEqual(origin.requests[0][2], body)
            unit.close()

    def test_a_unit_that_answers_early(self):
        early = rig.Origin()
        self.addCleanup(early.close)
        router = self.start(early.port)
        c = rig.Client(router.http)
        self.addCleanup(c.close)
        c.send(post(FORM, form('e' * 300000), path='/early'))
        self.assertEqual(c.answer()[0], 403)

    def test_memory(self):
        """What is held counts: the laziest are let go, and all is given back."""
        origin = rig.Origin()
        self.addCleanup(origin.close)
        router = self.start(origin.port, flags=('--buffer-memory', '2m'))
        crowd = [rig.Client(router.http) for _ in range(40)]
        for c in crowd:
            self.addCleanup(c.close)
            c.s.setblocking(False)
            try:
                c.s.send(post(FORM, form('m' * 300000))[:-1])
            except ConnectionError:
                pass

        def shed():
            self.assertLess(router.metric('deis_router_buffer_bytes'), 12 << 20)  # the limit, and what came in one turn
            return router.metric('deis_router_connections_shed_total') > 10
        rig.wait_for(shed, 'the laziest are let go')
        rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') <= 2 << 20, 'buffers are within their limit')
        crowd[0].s.settimeout(rig.DEADLINE)
        self.assertEqual(crowd[0].answer()[0], 408)
        for c in crowd:
            c.close()
        rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') == 0, 'all is given back')
        c = rig.Client(router.http)
        self.addCleanup(c.close)
        self.assertEqual(c.send(post(FORM, form('m' * 300000))).answer()[0], 200)

    def test_a_body_that_is_larger_than_any_may_be(self):
        origin = rig.Origin()
        self.addCleanup(origin.close)
        router = self.start(origin.port, flags=('--body-size', '64k'))
        for one in (post, chunked):
            with rig.Client(router.http) as c:
                status, _, body = c.send(one(FORM, form('x' * 70000))).answer()
                self.assertEqual((status, b'H26' in body), (413, True))
        self.assertEqual(origin.requests, [])

    def test_another_router_takes_over_while_a_body_is_held(self):
        origin = rig.Origin()
        self.addCleanup(origin.close)
        router = self.start(origin.port)
        data = post(FORM, form('h' * 50000))
        with rig.Client(router.http) as c:
            c.send(data[:-1])
            rig.wait_for(lambda: router.metric('deis_router_buffer_bytes') > 50000, 'most of it is held')
            old = handover_test.successor(router)
            handover_test.taken(router)
            self.assertEqual(c.send(data[-1:]).answer()[0], 200)
        self.assertEqual(old.wait(rig.DEADLINE), 0)
        with rig.Client(router.http) as c:
            self.assertEqual(c.send(post(FORM, form(SQLI))).answer()[0], 400)

    def test_a_body_that_trickles_is_cut(self):
        origin = rig.Origin()
        self.addCleanup(origin.close)
        router = self.start(origin.port, flags=('--body-rate', '1000'))
        c = rig.Client(router.http)
        self.addCleanup(c.close)
        c.send(head(FORM, 'Content-Length: 1000') + b'a')
        c.s.settimeout(0.1)

        def cut():
            try:
                return c.more()
            except TimeoutError:
                c.send(b'a')
        rig.wait_for(cut, 'it is answered')
        self.assertEqual(c.answer()[0], 408)
        self.assertEqual(origin.requests, [])

    def test_a_body_whose_end_comes_too_late_is_not_passed_on(self):
        """What is answered is over, also when the answer has still to leave."""
        origin = rig.Origin()
        self.addCleanup(origin.close)
        router = self.start(origin.port, flags=('--body-rate', '1000'))
        c = h2.plain(router.http, HOST)
        self.addCleanup(c.close)
        body = form('z' * 1000)
        late, slow = (c.open(end=False, method='POST', path='/echo', content_type=FORM, content_length=str(len(body))) for _ in '12')
        for byte in (body[:1], body[1:2]):  # the time runs from the first that comes by itself
            for sid in (late, slow):
                c.data(sid, byte)
            c.ping()

        def cut():
            if select.select([c.c.s], [], [], 0.1)[0]:
                c.step()
            else:
                c.data(slow, b'z')
            return c.answers[slow].heads
        rig.wait_for(cut, 'the one that sends byte by byte is answered')
        self.assertEqual(c.answer(slow).status, 408)
        c.data(late, body[2:], end=True)
        self.assertEqual(c.answer(late).status, 408)
        self.assertEqual(c.get('/after').status, 200)
        self.assertEqual([line for line, _, _ in origin.requests], ['GET /after HTTP/1.1'])


class Slow(unittest.TestCase):
    """A check that takes seconds."""
    BLANKS = b'a=' + b' ' * 900000

    def setUp(self):
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        self.router = rig.Static([(HOST, self.origin.port)], '--firewall', '--firewall-body-size', '1m', '--h2c', workers=1)
        self.addCleanup(self.router.clear)
        self.router.start()

    def client(self):
        c = rig.Client(self.router.http)
        self.addCleanup(c.close)
        return c

    def held(self):
        return self.router.metric('deis_router_buffer_bytes')

    def waiting(self):
        return self.router.metric('deis_router_firewall_waiting')

    def slow(self):
        """A client whose request is checked."""
        before = self.waiting()
        c = self.client().send(post(FORM, self.BLANKS))
        rig.wait_for(lambda: self.waiting() > before, 'it is checked')
        return c

    def test_others_do_not_wait(self):
        def passed():
            slow, quick = self.slow(), self.client()
            for i in range(10):
                quick.send(post(FORM, form(i)) + post(FORM, form(SQLI)))
                self.assertEqual([quick.answer()[0] for _ in range(2)], [200, 400])
            first = not select.select([slow.s], [], [], 0)[0]
            self.assertEqual(slow.answer()[::2], (200, self.BLANKS))
            return first
        rig.wait_for(passed, 'others are done before it')  # a turn in which the machine had no time for them is none

    def test_many_of_one_client_do_not_come_before_others(self):
        one = b'GET /?a=<script>alert(1)</script> HTTP/1.1\r\nHost: %s\r\n\r\n' % HOST.encode()
        number = 4000 // len(one)  # which are read at once
        blocked = lambda: self.router.metric('deis_router_firewall_blocked_total')

        def passed():
            greedy, other, before = self.client(), self.client(), blocked()
            for c in (greedy, other):
                self.assertEqual(c.send(head(FORM, method='GET')).answer()[0], 200)
            with batch_test.OneTurn(self.router):
                greedy.send(one * number)
                rig.wait_for(lambda: rig.unread(self.router.http), 'they are there')
                other.send(head(FORM, method='GET'))
            self.assertEqual(other.answer()[0], 200)
            first = before < blocked() < before + number / 2
            self.assertEqual([greedy.answer()[0] for _ in range(number)], [400] * number)
            return first
        rig.wait_for(passed, 'another is answered before most of them')

    def test_many_streams_do_not_come_before_others(self):
        blocked = lambda: self.router.metric('deis_router_firewall_blocked_total')

        def passed():
            greedy, other, before = h2.plain(self.router.http, HOST), self.client(), blocked()
            self.addCleanup(greedy.close)
            self.assertEqual(greedy.get('/', user_agent='Mozilla/5.0', accept='*/*').status, 200)
            self.assertEqual(other.send(head(FORM, method='GET')).answer()[0], 200)
            with batch_test.OneTurn(self.router):
                ids = [greedy.open(path='/?a=' + urllib.parse.quote(SQLI)) for _ in range(90)]
                rig.wait_for(lambda: rig.unread(self.router.http), 'they are there')
                other.send(head(FORM, method='GET'))
            self.assertEqual(other.answer()[0], 200)
            first = before < blocked() < before + len(ids) / 2
            self.assertEqual([greedy.answer(sid).status for sid in ids], [400] * len(ids))
            self.assertEqual(blocked(), before + len(ids))
            return first
        rig.wait_for(passed, 'another is answered before most of them')

    def test_those_behind_it_come_in_turn(self):
        slow = [self.slow()] + [self.client().send(post(FORM, form('x' * 5000, i=i))) for i in range(5)]
        bad = self.client().send(post(FORM, form('x' * 5000, i=SQLI)))
        long = self.client().send(head(FORM, 'X-Long: ' + 'x' * 5000, 'Cookie: a=' + urllib.parse.quote(SQLI), method='GET'))
        self.assertEqual([c.answer()[0] for c in slow], [200] * 6)
        self.assertEqual((bad.answer()[0], long.answer()[0]), (400, 400))
        self.assertEqual(len(self.origin.requests), 6)
        rig.wait_for(lambda: self.held() == 0, 'all is given back')

    def test_a_short_body_behind_a_long_head(self):
        c = self.client().send(head(FORM, 'X-Long: ' + 'x' * 5000, 'Content-Length: 3', 'Expect: 100-continue'))
        self.assertIn(b' 100 ', c.until(b'\r\n\r\n'))  # its head is checked
        slow = self.slow()
        c.send(b'a=1')
        rig.wait_for(lambda: self.waiting() == 2, 'it is not for the worker to check')
        self.assertEqual([x.answer()[0] for x in (slow, c)], [200, 200])

    def test_memory_of_those_that_wait(self):
        router = rig.Static([(HOST, self.origin.port)], '--firewall', '--firewall-body-size', '1m', '--buffer-memory', '4m', workers=1)
        self.addCleanup(router.clear)
        router.start()
        metric, crowd = router.metric, [rig.Client(router.http) for _ in range(12)]
        for c in crowd:
            self.addCleanup(c.close)
            c.send(post(FORM, self.BLANKS))
            self.assertLess(metric('deis_router_buffer_bytes'), 8 << 20)
        rig.wait_for(lambda: metric('deis_router_connections_shed_total') > 0, 'the laziest are let go')
        answers = [c.answer()[0] for c in crowd]
        self.assertIn(200, answers)
        self.assertTrue(any(a in (408, 503) for a in answers))
        self.assertEqual(set(answers) - {200, 408, 503}, set())
        rig.wait_for(lambda: metric('deis_router_buffer_bytes') == 0, 'all is given back')

    def test_more_than_may_wait(self):
        slow = [self.client().send(post(FORM, self.BLANKS)) for _ in range(2)]
        rig.wait_for(lambda: self.waiting() == 2, 'both are held')
        crowd = [self.client().send(post(FORM, form('x' * 3000, i=i))) for i in range(300)]
        answers = [c.answer() for c in crowd]
        refused = [body for status, _, body in answers if status == 503]
        self.assertTrue(refused)
        self.assertTrue(all(b'D06' in body for body in refused))
        self.assertGreaterEqual(sum(status == 200 for status, _, _ in answers), 250)
        self.assertEqual(len(refused) + sum(status == 200 for status, _, _ in answers), 300)
        self.assertEqual([c.answer()[0] for c in slow], [200] * 2)
        self.assertEqual(self.waiting(), 0)

    def test_the_client_leaves_meanwhile(self):
        c = h2.plain(self.router.http, HOST)
        self.addCleanup(c.close)
        sid = c.open(end=False, method='POST', path='/echo', content_type=FORM, user_agent='Mozilla/5.0')
        c.upload(sid, self.BLANKS)
        rig.wait_for(lambda: self.held() > len(self.BLANKS), 'all of it is held')
        c.frame(h2.RST_STREAM, 0, sid, b'\0\0\0\x08')
        slow = self.client().send(post(FORM, self.BLANKS))
        rig.wait_for(self.waiting, 'something is checked')
        slow.close()
        self.assertEqual(c.get(user_agent='Mozilla/5.0').status, 200)
        rig.wait_for(lambda: self.held() == 0, 'all is given back')
        self.assertLessEqual(len(self.origin.requests), 2)  # the connection may be seen to be gone later

    def test_a_router_that_stops_at_once(self):
        c = self.slow()
        self.router.p.terminate()
        rig.wait_for(lambda: not rig.can_connect(self.router.http), 'it takes no more')
        self.assertEqual(self.router.stop(), 0)
        self.assertTrue(c.closed())


class UnitH2(unittest.TestCase):
    """The unit speaks HTTP/2: its windows take a held body by and by."""

    def test_held_bodies(self):
        world, unit = World('--h2c', '--firewall', '--firewall-body-size', '1m'), unit_h2_test.Unit()
        self.addCleanup(world.clear)
        self.addCleanup(unit.close)
        world.app('talk')
        world.etcd.put('routing/talk', {'settings': {'h2c': True}})
        world.run('talk_v1.web.1', unit)
        world.wait_status('talk.example.com', 200)
        for size in (10, 50000, 200000, 600000):
            body = form('h' * size)
            for one in (post, chunked):
                with rig.Client(world.router.http) as c:
                    c.send(one(FORM, form(SQLI), host='talk.example.com') + one(FORM, body, host='talk.example.com'))
                    self.assertEqual(c.answer()[0], 400)
                    self.assertEqual(c.answer()[::2], (200, body))
            c = h2.plain(world.router.http, 'talk.example.com')
            self.addCleanup(c.close)
            sid = c.open(end=False, method='POST', path='/echo', content_type=FORM, user_agent='Mozilla/5.0', te='trailers')
            c.upload(sid, body, end=False)
            c.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, sid, c.block([('x-sum', str(size))]))
            self.assertEqual(c.answer(sid).body, body)
            self.assertEqual(unit.trailers, [('x-sum', str(size))])


class Missing(unittest.TestCase):
    """Its module, or its rules, are not there."""

    def test_nobody_passes_unexamined(self):
        origin = rig.Origin()
        self.addCleanup(origin.close)
        for flag in ('--firewall-module', '--firewall-rules'):
            router = rig.Static([(HOST, origin.port)], '--firewall', flag, '/nonexistent/firewall', workers=1).start()
            self.addCleanup(router.clear)
            status, _, body = rig.get(router.http, HOST, '/', AGENT)
            self.assertEqual(status, 503)
            self.assertIn(b'D06', body)
            self.assertEqual(rig.get(router.http, 'nobody.test', '/health-check')[0], 200)
            self.assertIn('/nonexistent/firewall', router.log())
        self.assertEqual(origin.requests, [])


class Switches(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.clear)
        self.etcd, self.router = self.world.etcd, self.world.router
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        self.world.app('blog')
        self.world.run('blog_v1.web.1-aaaa', self.origin)
        self.world.wait_status('blog.example.com', 200)

    def put(self, name, value):
        self.etcd.put('config/router/firewall/' + name, value)

    def attack(self, path='/', extra=''):
        return self.world.get('blog.example.com', path + '?id=' + urllib.parse.quote(SQLI), extra='User-Agent: Mozilla/5.0\r\n' + extra)

    def until(self, status):
        self.router.wait_for(lambda: self.attack()[0] == status, 'attacks are answered with %d' % status)

    def test_live(self):
        self.assertEqual(self.attack()[0], 200)
        self.put('enabled', 'true')
        self.until(400)
        self.put('errorCode', '403')
        self.until(403)
        answer = json.loads(self.attack(extra='Accept: application/json\r\n')[2])
        self.assertEqual((answer['status'], answer['code']), (403, 'D05'))
        self.etcd.put('routing/blog', {'settings': {'firewall': False}})
        self.until(200)
        self.etcd.put('routing/blog', {'settings': {'firewall': True}})
        self.until(403)
        self.put('enabled', 'false')
        self.etcd.put('routing/blog', {'settings': {}})
        self.until(200)
        self.etcd.put('routing/blog', {'settings': {'firewall': True}})
        self.until(403)

    def test_what_is_well_passes_whatever_is_switched(self):
        stop, seen = threading.Event(), []

        def load():
            with rig.Client(self.router.http) as c:
                while not stop.is_set():
                    c.send(post(FORM, form('load' * 5000), host='blog.example.com'))
                    seen.append(c.answer()[::2] == (200, form('load' * 5000)))
        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        for i in range(6):
            self.put('enabled', 'true' if i % 2 == 0 else 'false')
            self.until(400 if i % 2 == 0 else 200)
            before = len(seen)
            rig.wait_for(lambda: len(seen) > before + 20, 'the load goes on')
        stop.set()
        for t in threads:
            t.join()
        self.assertTrue(all(seen))

    def test_a_router_that_stops_takes_what_is_coming(self):
        self.put('enabled', 'true')
        self.until(400)
        data = post(FORM, form('s' * 50000), host='blog.example.com')
        with rig.Client(self.router.http) as c:
            c.send(data[:-1])
            rig.wait_for(lambda: self.router.metric('deis_router_buffer_bytes') > 50000, 'most of it is held')
            self.router.p.terminate()
            rig.wait_for(lambda: not rig.can_connect(self.router.http), 'it takes no more')
            self.assertEqual(c.send(data[-1:]).answer()[0], 200)
        self.assertEqual(self.router.stop(None), 0)


if __name__ == '__main__':
    unittest.main()
