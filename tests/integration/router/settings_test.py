# SPDX-License-Identifier: MIT
"""Settings of apps (routing/<app>) and of the platform: what each does to requests, on a real etcd."""
import json
import socket
import threading
import time
import unittest

import h2_rig as h2
import rig
from etcd_test import World


class From(rig.Client):
    """A client with an address of its own."""

    def __init__(self, port, address):
        self.s = socket.create_connection(('127.0.0.1', port), rig.DEADLINE, source_address=(address, 0))
        self.buf = b''


class Settings(unittest.TestCase):
    def setUp(self):
        self.world = World('--h2c')
        self.addCleanup(self.world.clear)
        self.etcd, self.router = self.world.etcd, self.world.router
        self.world.app('blog')
        self.world.wait_status('blog.example.com', 503)

    def origin(self, tag='origin'):
        o = rig.Origin(tag)
        self.addCleanup(lambda: o.s.fileno() >= 0 and o.close())
        return o

    def units(self, *tags):
        origins = [self.origin(tag) for tag in tags]
        names = ['blog_v1.web.%d-aaaa' % (i + 1) for i in range(len(tags))]
        for name, o in zip(names, origins):
            self.world.run(name, o)
        self.world.wait_units('blog', *names)
        return origins

    def change(self, act):
        """act() changes the table: until all workers use the new one."""
        before = self.router.routes()['generation']
        act()

        def taken():
            r = self.router.routes()
            return r['generation'] > before and r['adopted'] == r['generation']
        rig.wait_for(taken, 'the workers use the new table')

    def set(self, settings, **more):
        self.change(lambda: self.etcd.put('routing/blog', {'settings': settings, **more}))

    def platform(self, key, value):
        self.change(lambda: self.etcd.put('config/router/' + key, value))

    def get(self, address='127.0.0.1', path='/', extra='', host='blog.example.com', method='GET'):
        with From(self.router.http, address) as c:
            c.send(('%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n' % (method, path, host, extra)).encode())
            return c.answer(head_only=method == 'HEAD')

    def test_whitelist(self):
        origin, = self.units('web')
        self.set({'whitelist': ['127.0.0.2:office', '127.1.0.0/16']}, configWhitelist=['127.0.0.9'])
        status, fields, body = self.get()
        self.assertEqual((status, fields['cache-control']), (403, 'no-store'))
        self.assertIn(b'D01', body)
        answer = json.loads(self.get(extra='Accept: application/json\r\n')[2])
        self.assertEqual((answer['status'], answer['code']), (403, 'D01'))
        self.assertEqual(origin.requests, [])
        for address in ('127.0.0.2', '127.1.2.3', '127.0.0.9'):
            self.assertEqual(self.get(address)[0], 200)
        self.assertEqual(self.get('127.2.0.1')[0], 403)
        self.set({})
        self.assertEqual(self.get()[0], 200)

    def test_a_whitelisted_app_stays_closed_without_etcd(self):
        self.units('web')
        self.set({'whitelist': ['127.0.0.2']})
        self.assertEqual(self.get()[0], 403)
        rig.wait_for(lambda: 'whitelist' in self.saved(), 'the table is saved')
        self.etcd.stop()
        self.assertEqual(self.router.stop(), 0)
        self.router.start()
        self.assertEqual(self.get()[0], 403)
        self.assertEqual(self.get('127.0.0.2')[0], 200)

    def test_what_is_read_at_the_start(self):
        at = self.router.argv.index('--workers')
        del self.router.argv[at:at + 2]
        self.change(lambda: self.etcd.put_many([('config/router/workerProcesses', '3'), ('config/router/maxWorkerConnections', '7'),
                                                ('config/router/maxRequests', '9')]))
        self.assertEqual(self.router.stop(), 0)
        self.etcd.stop()
        self.router.start()
        self.assertEqual(self.router.metric('deis_router_connections_max'), 21)

    def saved(self):
        try:
            with open(self.router.dir + '/routes') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def test_what_cannot_be_read_closes_or_changes_nothing(self):
        self.units('web')
        self.change(lambda: self.etcd.put('routing/blog', '{"settings":'))
        self.assertEqual(self.get()[0], 403)
        self.set({'maintenance': True})
        self.assertEqual(self.get()[0], 503)
        self.etcd.put('routing/blog', '{"settings":{"maintenance":"perhaps"}}')
        rig.wait_for(lambda: 'routing/blog' in self.router.log(), 'the fault is logged')
        self.assertEqual(self.get()[0], 503)

    def test_maintenance_and_pages_of_its_own(self):
        origin, = self.units('web')
        self.set({'maintenance': True})
        status, _, body = self.get()
        self.assertEqual(status, 503)
        self.assertIn(b'H80', body)
        self.assertEqual(json.loads(self.get(extra='Accept: application/json\r\n')[2])['code'], 'H80')
        self.set({'maintenance': True, 'page.503': '<h1>Out</h1>'})
        status, fields, body = self.get()
        self.assertEqual((status, body), (503, b'<h1>Out</h1>'))
        self.assertEqual(fields['content-type'], 'text/html; charset=utf-8')
        self.set({'maintenance': True, 'page.503': '<h1>Out</h1>', 'page.maintenance': '<h1>Soon</h1>'})
        self.assertEqual(self.get()[2], b'<h1>Soon</h1>')
        self.assertEqual(self.get(method='HEAD')[1]['content-length'], str(len('<h1>Soon</h1>')))
        self.assertEqual(json.loads(self.get(extra='Accept: application/json\r\n')[2])['code'], 'H80')
        self.assertEqual(origin.requests, [])
        large = '<p>' + 'x' * 16000
        self.set({'page.502': large})
        self.assertEqual(self.get(path='/drop', method='POST', extra='Content-Length: 0\r\n')[2], large.encode())
        # What the app itself answers is its own affair.
        self.assertEqual(self.get(path='/status/502')[2], b'x')

    def test_body_size(self):
        self.units('web')
        self.set({'bodySize': '10'})
        self.assertEqual(rig.get(self.router.http, 'blog.example.com', '/echo', 'Content-Length: 10\r\n', 'POST', b'0123456789')[0], 200)
        self.assertEqual(self.get(method='POST', extra='Content-Length: 11\r\n')[0], 413)
        chunks = b'b\r\n0123456789a\r\n0\r\n\r\n'
        self.assertEqual(rig.get(self.router.http, 'blog.example.com', '/echo', 'Transfer-Encoding: chunked\r\n', 'POST', chunks)[0], 413)
        # Too large comes first, however much of the fault behind it is read at once.
        faulty = b'b\r\n0123456789a\r\nno chunk\r\n'
        head = b'POST /echo HTTP/1.1\r\nHost: blog.example.com\r\nTransfer-Encoding: chunked\r\n\r\n'
        with rig.Client(self.router.http) as c:
            self.assertEqual(c.send(head + faulty).answer()[0], 413)
        with rig.Client(self.router.http) as c:
            c.send(head)
            rig.wait_for(lambda: self.router.metric('deis_router_app_in_flight{app="blog"}') == 1, 'the head was read')
            self.assertEqual(c.send(faulty).answer()[0], 413)
        # More than the platform lets others send.
        self.platform('bodySize', '5')
        self.assertEqual(rig.get(self.router.http, 'blog.example.com', '/echo', 'Content-Length: 10\r\n', 'POST', b'0123456789')[0], 200)
        self.set({})
        self.assertEqual(self.get(method='POST', extra='Content-Length: 6\r\n')[0], 413)

    def test_timeout(self):
        origin, = self.units('web')
        self.addCleanup(origin.gate.set)
        self.set({'timeout': '1m'})
        self.assertEqual(self.get(path='/slow/0.1')[0], 200)
        self.set({'timeout': '1s'})
        status, _, body = self.get(path='/gate')
        self.assertEqual(status, 504)
        self.assertIn(b'H12', body)

    def test_timeout_that_is_made_shorter_holds_for_those_who_wait(self):
        origin, = self.units('web')
        answers = []
        first = threading.Thread(target=lambda: answers.append(self.get(path='/gate')))
        first.start()
        self.addCleanup(first.join)
        self.addCleanup(origin.gate.set)
        rig.wait_for(lambda: origin.requests, 'it waits')
        self.platform('defaultTimeout', '1')
        self.assertEqual(self.get(path='/gate')[0], 504)
        first.join()
        self.assertEqual(answers[0][0], 504)

    def test_connect_timeout(self):
        self.world.app('far')
        full = rig.full_queue(self)
        self.etcd.put('routing/far', {'settings': {'connectTimeout': '300ms'}})
        self.world.unit('far_v1.web.1-aaaa')
        self.world.state('far_v1.web.1-aaaa', '127.0.0.1:%d' % full.getsockname()[1])
        self.world.wait_units('far', 'far_v1.web.1-aaaa')
        status, _, body = self.get(host='far.example.com')
        self.assertEqual(status, 502)
        self.assertIn(b'H19', body)

    def test_sticky(self):
        self.units('one', 'two', 'three')
        self.set({'sticky': True})
        status, fields, body = self.get()
        cookie, *attributes = fields['set-cookie'].split('; ')
        self.assertRegex(cookie, '^deis_unit=[0-9a-f]{16}$')
        self.assertEqual(attributes, ['Path=/', 'HttpOnly', 'SameSite=Lax'])
        for _ in range(20):
            _, fields, again = self.get(extra='Cookie: a=b; %s; c=d\r\n' % cookie)
            self.assertEqual(again, body)
            self.assertNotIn('set-cookie', fields)
        # Over a restart, too.
        self.router.stop()
        self.router.start()
        rig.wait_for(lambda: self.get(extra='Cookie: %s\r\n' % cookie)[2] == body, 'the table is there again')
        self.assertNotIn('set-cookie', self.get(extra='Cookie: %s\r\n' % cookie)[1])
        # Its unit is gone: another one, and a new cookie.
        number = ['one', 'two', 'three'].index(body.decode()) + 1
        self.etcd.delete('units/blog_v1.web.%d-aaaa' % number)
        self.world.wait_units('blog', *['blog_v1.web.%d-aaaa' % n for n in (1, 2, 3) if n != number])
        _, fields, other = self.get(extra='Cookie: %s\r\n' % cookie)
        self.assertNotEqual(other, body)
        self.assertNotEqual(fields['set-cookie'].split(';')[0], cookie)
        for junk in ('deis_unit=', 'deis_unit=zz', 'deis_unit=' + '0' * 16, 'deis_unit=' + 'f' * 400):
            self.assertIn('set-cookie', self.get(extra='Cookie: %s\r\n' % junk)[1])

    def test_affinity_by_a_query_variable(self):
        self.units('one', 'two', 'three')
        self.set({'affinityArg': 'session'})
        seen = set()
        for user in range(30):
            tags = {self.get(path='/?x=1&session=u%d&y=2' % user)[2] for _ in range(4)}
            self.assertEqual(len(tags), 1)
            seen |= tags
        self.assertEqual(len(seen), 3)
        self.set({})
        self.platform('affinityArg', 'sid')
        self.assertEqual(len({self.get(path='/?sid=7')[2] for _ in range(12)}), 1)

    def test_weights(self):
        self.units('one', 'two')
        self.set({'weight.web.1': 0})
        self.assertEqual({self.get()[2] for _ in range(20)}, {b'two'})
        self.change(lambda: self.etcd.delete('units/blog_v1.web.2-aaaa'))
        self.assertEqual(self.get()[2], b'one')  # nothing else is left

    def test_requests_in_flight(self):
        origin, = self.units('web')
        self.set({'maxRequests': 2})
        with rig.Client(self.router.http) as a, rig.Client(self.router.http) as b:
            for c in (a, b):
                c.send(b'GET /gate HTTP/1.1\r\nHost: blog.example.com\r\n\r\n')
            rig.wait_for(lambda: len(origin.requests) == 2, 'two are at work')
            status, _, body = self.get()
            self.assertEqual(status, 503)
            self.assertIn(b'H11', body)
            origin.gate.set()
            self.assertEqual((a.answer()[0], b.answer()[0]), (200, 200))
        rig.wait_for(lambda: self.get()[0] == 200, 'there is room again')

    def websocket(self, host='blog.example.com', path='/ws'):
        c = rig.Client(self.router.http)
        self.addCleanup(c.close)
        c.send(('GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
                'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAccept: application/json\r\n\r\n' % (path, host)).encode())
        return c

    def count(self, what):
        return self.router.metric('deis_router_app_%s{app="blog"}' % what)

    def test_upgraded_connections(self):
        self.assertEqual(self.router.stop(), 0)
        self.router.argv += ['--access-log', self.router.access]
        self.router.start()
        origin, = self.units('web')
        self.set({'maxConnections': 2, 'maxRequests': 1})
        held = []
        for _ in range(2):  # each is a request no longer, and leaves those their room
            held.append(self.websocket())
            self.assertEqual(held[-1].answer()[0], 101)
        self.assertEqual(self.count('in_flight'), 0)
        self.assertEqual(self.count('connections'), 2)
        self.assertEqual(self.get()[0], 200)
        rig.wait_for(lambda: self.count('in_flight') == 0, 'it is over for the router, too')
        before = len(origin.requests)
        c = self.websocket(path='/ws?third')
        status, _, body = c.answer()
        self.assertEqual((status, json.loads(body)['code']), (503, 'H22'))
        line, = self.router.lines('third')
        self.assertIn('at=error code=H22', line)
        self.assertIn('status=503', line)
        self.assertEqual(len(origin.requests), before)
        self.assertEqual(self.count('connections'), 2)
        # Each that ends makes room for one.
        held.pop().close()
        rig.wait_for(lambda: self.count('connections') == 1, 'one has ended')
        self.assertEqual(self.websocket().answer()[0], 101)
        self.assertEqual(self.websocket().answer()[0], 503)

    def test_websockets_over_http2_are_upgraded_connections(self):
        self.units('web')
        self.set({'maxConnections': 2})
        c = h2.plain(self.router.http, 'blog.example.com')
        self.addCleanup(c.close)
        fields = [(':method', 'CONNECT'), (':protocol', 'websocket'), (':scheme', 'http'), (':path', '/ws'), (':authority', c.host)]
        first = c.open(fields, end=False)
        self.assertEqual(c.head(first).status, 200)
        self.assertEqual(self.websocket().answer()[0], 101)
        a = c.answer(c.open(fields, end=False))
        self.assertEqual(a.status, 503)
        self.assertIn(b'H22', a.body)
        self.assertEqual(self.websocket().answer()[0], 503)
        c.data(first, rig.ws_frame(b'', 8, b'mask'))
        c.answer(first)
        rig.wait_for(lambda: self.count('connections') == 1, 'one has ended')
        second = c.open(fields, end=False)
        self.assertEqual(c.head(second).status, 200)

    def test_an_upgrade_counts_from_its_request_on(self):
        """However many ask at once, no more are let in; who gets another answer is not counted after it."""
        origin, = self.units('web')
        self.set({'maxConnections': 2})
        asking = [self.websocket(path='/gate') for _ in range(2)]
        rig.wait_for(lambda: len(origin.requests) == 2, 'two ask')
        self.assertEqual(self.websocket().answer()[0], 503)
        origin.gate.set()
        self.assertEqual([c.answer()[0] for c in asking], [200, 200])
        rig.wait_for(lambda: self.count('connections') == 0, 'none is left')
        self.assertEqual(self.websocket().answer()[0], 101)

    def test_limits_of_the_platform_for_apps(self):
        """They hold for apps that set none of their own."""
        self.units('web')
        self.platform('maxConnections', '1')
        held = self.websocket()
        self.assertEqual(held.answer()[0], 101)
        self.assertEqual(self.websocket().answer()[0], 503)
        self.set({'maxConnections': 2})
        self.assertEqual(self.websocket().answer()[0], 101)
        self.assertEqual(self.websocket().answer()[0], 503)
        self.set({})
        self.change(lambda: self.etcd.delete('config/router/maxConnections'))
        self.assertEqual(self.websocket().answer()[0], 101)
        self.platform('rateLimit', '1')
        self.platform('rateBurst', '2')
        self.assertEqual([self.get('127.0.0.5')[0] for _ in range(3)], [200, 200, 429])
        self.set({'rateBurst': 3})
        self.assertEqual([self.get('127.0.0.6')[0] for _ in range(4)], [200, 200, 200, 429])

    def test_who_is_turned_away_is_not_in_flight(self):
        """However long he takes to read the page."""
        self.units('web')
        self.set({'maxRequests': 2, 'whitelist': ['127.0.0.2']})
        c = h2.plain(self.router.http, 'blog.example.com', settings=((4, 0),))  # takes heads only
        self.addCleanup(c.close)
        ids = [c.open(path='/') for _ in range(5)]
        self.assertEqual([c.head(i).status for i in ids], [403] * 5)
        self.assertEqual(self.get('127.0.0.2')[0], 200)

    def test_requests_of_an_address_at_once(self):
        origin, = self.units('web')
        self.set({'addressRequests': 2})
        at_work = [From(self.router.http, '127.0.0.5') for _ in range(2)]
        for c in at_work:
            self.addCleanup(c.close)
            c.send(b'GET /gate HTTP/1.1\r\nHost: blog.example.com\r\n\r\n')
        rig.wait_for(lambda: len(origin.requests) == 2, 'two are at work')
        for kind in ('', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'):
            status, fields, body = self.get('127.0.0.5', '/ws', kind)
            self.assertEqual((status, b'D04' in body), (429, True))
        self.assertEqual(len(origin.requests), 2)
        self.assertEqual(self.get('127.0.0.6')[0], 200)  # others have their own
        self.assertEqual(self.get('127.0.0.5', host='nobody.example.com')[0], 404)
        at_work.pop().close()  # who leaves makes room, too
        rig.wait_for(lambda: self.get('127.0.0.5')[0] == 200, 'one has left')
        origin.gate.set()
        self.assertEqual(at_work[0].answer()[0], 200)
        for _ in range(10):  # all seats were given back
            rig.wait_for(lambda: self.get('127.0.0.5')[0] == 200, 'there is room')

    def test_upgraded_connections_count_for_their_address(self):
        self.units('web')
        self.set({'addressRequests': 1})
        ws = self.websocket()
        self.assertEqual(ws.answer()[0], 101)
        self.assertEqual(self.get()[0], 429)
        self.assertEqual(self.get('127.0.0.6')[0], 200)
        ws.close()
        rig.wait_for(lambda: self.get()[0] == 200, 'it has ended')
        rig.wait_for(lambda: self.count('in_flight') == 0, 'the request, too')
        c = h2.plain(self.router.http, 'blog.example.com')
        self.addCleanup(c.close)
        fields = [(':method', 'CONNECT'), (':protocol', 'websocket'), (':scheme', 'http'), (':path', '/ws'), (':authority', c.host)]
        rig.wait_for(lambda: c.head(c.open(fields, end=False)).status == 200, 'there is room')
        self.assertEqual(c.get().status, 429)
        c.close()
        rig.wait_for(lambda: self.get()[0] == 200, 'it has ended')
        self.platform('addressRequests', '2')  # the app's own setting is in effect
        ws = self.websocket()
        rig.wait_for(lambda: self.count('connections') == 1, 'it is there')
        self.assertEqual(self.get()[0], 429)
        self.set({})
        self.assertEqual(self.get()[0], 200)
        rig.wait_for(lambda: self.count('in_flight') == 0, 'the request is over for the router, too')
        held = self.websocket()
        self.assertEqual((ws.answer()[0], held.answer()[0]), (101, 101))
        self.assertEqual(self.get()[0], 429)

    def test_rate_of_an_address(self):
        origin, = self.units('web')
        self.set({'rateLimit': 1, 'rateBurst': 3})
        self.assertEqual([self.get('127.0.0.5')[0] for _ in range(3)], [200] * 3)
        status, fields, body = self.get('127.0.0.5')
        self.assertEqual(status, 429)
        self.assertIn(b'D02', body)
        self.assertTrue(1 <= int(fields['retry-after']) <= 60)
        self.assertEqual(self.get('127.0.0.6')[0], 200)
        self.assertEqual(len(origin.requests), 4)
        self.set({'rateLimit': 1, 'rateBurst': 3, 'page.429': 'slowly'})
        self.assertEqual(self.get('127.0.0.5')[2], b'slowly')
        # The count survives changes of the settings and of units.
        self.set({})
        self.assertEqual(self.get('127.0.0.5')[0], 200)

    def test_wildcard_domain(self):
        self.units('web')
        self.world.app('other')
        self.etcd.put('domains/www.shop.test', {'app': 'other'})
        self.world.wait_status('www.shop.test', 503)
        self.change(lambda: self.etcd.put('domains/*.shop.test', {'app': 'blog'}))
        self.assertEqual(self.get(host='any.shop.test')[0], 200)
        self.assertEqual(self.get(host='ANY.Shop.Test.:80')[0], 200)
        self.assertEqual(self.get(host='www.shop.test')[0], 503)  # the other app's, which has no unit
        for host in ('shop.test', 'a.b.shop.test'):
            self.assertEqual(self.get(host=host)[0], 404)
        self.change(lambda: self.etcd.delete('domains/*.shop.test'))
        self.assertEqual(self.get(host='any.shop.test')[0], 404)

    def test_platform_whitelists(self):
        self.units('web')
        api = self.origin('api')
        self.change(lambda: self.etcd.put('services/controller/c1', {'http': api.address}))
        self.platform('controller/whitelist', '127.0.0.2:admin,127.0.0.3')
        self.assertEqual(self.get(host='deis.example.com')[0], 403)
        self.assertEqual(self.get('127.0.0.2', host='deis.example.com')[2], b'api')
        self.assertEqual(self.get()[0], 200)
        self.etcd.put('config/router/controller/whitelist', 'nonsense')
        rig.wait_for(lambda: "'nonsense'" in self.router.log(), 'the fault is logged')
        self.assertEqual(self.get(host='deis.example.com')[0], 403)
        self.assertEqual(self.get('127.0.0.2', host='deis.example.com')[0], 200)
        self.platform('enforceWhitelist', 'true')
        self.assertEqual(self.get()[0], 403)
        self.set({'whitelist': ['127.0.0.1']})
        self.assertEqual(self.get()[0], 200)
        self.change(lambda: self.etcd.delete('config/router/enforceWhitelist'))
        self.change(lambda: self.etcd.delete('config/router/controller/whitelist'))
        self.assertEqual(self.get(host='deis.example.com')[0], 200)

    def test_timeout_of_the_controller(self):
        api = self.origin('api')
        self.addCleanup(api.gate.set)
        self.change(lambda: self.etcd.put('services/controller/c1', {'http': api.address}))
        self.platform('controller/timeout/read', '1s')
        self.assertEqual(self.get(path='/gate', host='deis.example.com')[0], 504)

    def stalling_controller(self):
        """Takes nothing of the body of /stall until its gate opens."""
        class Stalling(rig.Origin):
            def early_stall(self, c):
                self.gate.wait(rig.DEADLINE)
        api = Stalling('api')
        self.addCleanup(api.close)
        self.addCleanup(api.gate.set)
        self.change(lambda: self.etcd.put('services/controller/c1', {'http': api.address}))
        return api

    def send_body(self, size):
        """More than sockets hold, to /stall of the API. Returns the connection and the thread that sends."""
        def send():
            try:
                c.send(b'POST /stall HTTP/1.1\r\nHost: deis.example.com\r\nContent-Length: %d\r\n\r\n' % size + bytes(size))
            except OSError:
                pass  # it was answered before
        c = rig.Client(self.router.http)
        self.addCleanup(c.close)
        t = threading.Thread(target=send)
        t.start()
        self.addCleanup(t.join)
        return c, t

    def test_send_timeout_of_the_controller(self):
        self.stalling_controller()
        self.platform('controller/timeout/send', '1s')
        self.assertEqual(self.send_body(40000000)[0].answer()[0], 504)

    def test_send_timeout_of_the_controller_is_not_that_of_its_answer(self):
        api = self.stalling_controller()
        self.platform('controller/timeout/send', '1h')
        self.platform('controller/timeout/read', '1s')
        _, sending = self.send_body(40000000)
        for _ in range(2):
            self.assertEqual(self.get(path='/gate', host='deis.example.com')[0], 504)
        self.assertTrue(sending.is_alive())
        api.gate.set()
        sending.join()
        rig.wait_for(lambda: [len(body) for line, _, body in api.requests if 'stall' in line] == [40000000], 'all of the body is there')

    def test_log_level(self):
        self.etcd.put('config/router/errorLogLevel', 'loud')
        rig.wait_for(lambda: "not 'loud'" in self.router.log(), 'the fault is logged')
        self.etcd.put('config/router/errorLogLevel', 'error')
        self.platform('bodySize', '6m')  # by now the level holds
        self.etcd.put('config/router/bodySize', 'quiet')
        self.platform('bodySize', '7m')
        self.etcd.put('config/router/errorLogLevel', 'warn')
        self.platform('bodySize', '8m')
        self.etcd.put('config/router/bodySize', 'heard')
        rig.wait_for(lambda: "'heard'" in self.router.log(), 'a warning is logged')
        self.assertNotIn("'quiet'", self.router.log())

    def test_over_http2(self):
        self.units('one', 'two', 'three')
        c = h2.plain(self.router.http, 'blog.example.com')
        self.addCleanup(c.close)
        self.set({'sticky': True, 'bodySize': 10})
        a = c.get()
        cookie = a.fields['set-cookie'].split(';')[0]
        self.assertRegex(cookie, '^deis_unit=[0-9a-f]{16}$')
        for _ in range(10):
            again = c.answer(c.open(c.usual() + [('cookie', 'a=b'), ('cookie', cookie)]))
            self.assertEqual(again.body, a.body)
            self.assertNotIn('set-cookie', again.fields)
        sid = c.open(end=False, method='POST', path='/echo')
        c.data(sid, b'01234567890', end=True)
        self.assertEqual(c.answer(sid).status, 413)
        self.set({'timeout': '1s'})
        self.assertEqual(c.get('/slow/5').status, 504)
        self.set({'maintenance': True, 'page.maintenance': '<h1>Soon</h1>'})
        a = c.get()
        self.assertEqual((a.status, a.body), (503, b'<h1>Soon</h1>'))
        self.set({'rateLimit': 1, 'rateBurst': 1})
        self.assertEqual(c.get().status, 200)
        a = c.get()
        self.assertEqual(a.status, 429)
        self.assertIn('retry-after', a.fields)
        self.set({'whitelist': ['127.0.0.2']})
        self.assertEqual(c.get().status, 403)

    def test_changes_under_load_fail_nothing(self):
        self.units('one', 'two')
        failed, done = [], threading.Event()

        def ask():
            with rig.Client(self.router.http) as c:
                while not done.is_set():
                    c.send(b'GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n')
                    status = c.answer()[0]
                    if status != 200:
                        failed.append(status)
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for t in threads:
            t.start()
        variants = [{'sticky': True}, {'slowStart': '5s', 'weight.web.1': 20}, {'rateLimit': 1000000, 'rateBurst': 100000},
                    {'whitelist': ['127.0.0.0/8']}, {'timeout': '7s', 'affinityArg': 'a'}, {}]
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for v in variants:
                self.set(v)
        done.set()
        for t in threads:
            t.join()
        self.assertEqual(failed, [])


class OfOthers(unittest.TestCase):
    def setUp(self):
        self.world = w = World()
        self.addCleanup(w.clear)
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        self.addCleanup(self.origin.gate.set)
        for app in ('blog', 'other'):
            w.app(app)
            w.run(app + '_v1.web.1-aaaa', self.origin)
            w.wait_status(app + '.example.com', 200)

    def set(self, app, settings):
        before = self.world.router.routes()['generation']
        self.world.etcd.put('routing/' + app, {'settings': settings})
        rig.wait_for(lambda: self.world.router.routes()['adopted'] > before, 'it is in effect')

    def wait_at_gate(self, app):
        c = rig.Client(self.world.router.http)
        self.addCleanup(c.close)
        return c.send(b'GET /gate HTTP/1.1\r\nHost: %s.example.com\r\n\r\n' % app.encode())

    def test_many_times_of_one_app_leave_those_of_another(self):
        for i in range(70):
            self.set('other', {'timeout': '%dms' % (3600000 + i)})
            for _ in range(4):
                self.wait_at_gate('other')
        self.set('blog', {'timeout': '1s'})
        for _ in range(4):
            self.assertEqual(self.wait_at_gate('blog').answer()[0], 504)

    def test_an_app_s_rate_has_no_burst_of_the_platform(self):
        self.world.etcd.put('config/router/rateBurst', '1')
        self.set('blog', {'rateLimit': 6000})
        self.assertEqual([self.world.get('blog.example.com')[0] for _ in range(20)], [200] * 20)

    def test_no_time_at_all_is_refused(self):
        self.world.etcd.put('config/router/defaultTimeout', '0')
        rig.wait_for(lambda: 'defaultTimeout' in self.world.router.log(), 'it is refused')
        self.assertEqual(self.world.get('blog.example.com', '/slow/0.5')[0], 200)

    def test_a_size_of_0_is_any(self):
        self.world.etcd.put('config/router/bodySize', '1')

        def status():
            with rig.Client(self.world.router.http) as c:
                c.send(b'POST /echo HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 2\r\n\r\nab')
                return c.answer()[0]
        rig.wait_for(lambda: status() == 413, 'it is in effect')
        self.world.etcd.put('config/router/bodySize', '0')
        rig.wait_for(lambda: status() == 200, 'it is in effect')


if __name__ == '__main__':
    unittest.main(verbosity=2)
