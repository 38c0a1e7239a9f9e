# SPDX-License-Identifier: MIT
"""When the firewall's rules are loaded: nobody passes unexamined that was not known before, and what is lacking may come later."""
import glob
import os
import shutil
import tempfile
import unittest

import rig
from etcd_test import World

RULES = '/usr/share/modsecurity-crs/rules'
ATTACK = '/?id=1%27%20or%20%271%27=%271'
AGENT = 'User-Agent: Mozilla/5.0\r\n'
BLOG = 'blog.example.com'


class Load(unittest.TestCase):
    def world(self, *flags):
        w = World(*flags)
        self.addCleanup(w.clear)
        self.origin = rig.Origin()
        self.addCleanup(self.origin.close)
        w.app('blog')
        w.run('blog_v1.web.1-aaaa', self.origin)
        w.wait_status(BLOG, 200)
        self.origin.requests.clear()
        return w

    def attack(self, w):
        return rig.get(w.router.http, BLOG, ATTACK, AGENT)[0]

    def switch_on(self, w):
        w.etcd.put('config/router/firewall/enabled', 'true')
        w.router.wait_for(lambda: self.attack(w) == 400, 'attacks are blocked')
        self.origin.requests.clear()

    def test_a_router_that_is_new(self):
        """It knows nothing but what etcd says: its first table has the rules with it."""
        w = self.world()
        self.switch_on(w)
        self.assertEqual(w.router.stop(), 0)
        for f in glob.glob(w.router.dir + '/*'):
            if f not in (w.key, w.router.errors):
                shutil.rmtree(f) if os.path.isdir(f) else os.remove(f)
        w.router.start()
        seen = set()

        def known():
            seen.add(self.attack(w))
            return 400 in seen
        rig.wait_for(known, 'the app is known')
        self.assertLessEqual(seen, {404, 400})
        self.assertEqual(self.origin.requests, [])

    def test_a_start_without_etcd(self):
        for by in ('platform', 'app'):
            with self.subTest(by=by):
                w = self.world()
                if by == 'platform':
                    self.switch_on(w)
                else:
                    w.etcd.put('routing/blog', {'settings': {'firewall': True}})
                    w.router.wait_for(lambda: self.attack(w) == 400, 'attacks are blocked')
                self.assertEqual(w.router.stop(), 0)
                w.etcd.stop()
                w.router.start()
                self.assertEqual(self.attack(w), 400)
                self.assertEqual(rig.get(w.router.http, BLOG, '/', AGENT)[0], 200)

    def test_rules_that_come_later(self):
        rules = tempfile.mkdtemp(prefix='deis-rules.')
        self.addCleanup(shutil.rmtree, rules)
        w = self.world('--firewall-rules', rules + '/all')
        w.app('shop')
        w.run('shop_v1.web.1-bbbb', self.origin)
        w.etcd.put('routing/shop', {'settings': {'firewall': False}})
        w.wait_status('shop.example.com', 200)
        w.etcd.put('config/router/firewall/enabled', 'true')
        w.wait_status(BLOG, 503)
        self.assertIn(rules, w.router.log())
        self.assertEqual(w.router.metric('deis_router_firewall_loaded'), 0)
        self.assertEqual(w.get('shop.example.com')[0], 200)
        self.origin.requests.clear()
        os.mkdir(rules + '/some')
        for f in glob.glob(RULES + '/*'):
            os.symlink(f, os.path.join(rules, 'some', os.path.basename(f)))
        os.rename(rules + '/some', rules + '/all')
        rig.wait_for(lambda: self.attack(w) == 400, 'they are found')
        self.assertEqual(self.origin.requests, [])
        self.assertEqual(rig.get(w.router.http, BLOG, '/', AGENT)[0], 200)
        self.assertEqual(w.router.metric('deis_router_firewall_loaded'), 1)

    def test_settings_that_are_bad(self):
        """They change nothing, whoever wrote them."""
        w = self.world()
        self.switch_on(w)
        w.etcd.put_many([('config/router/firewall/errorCode', '500'), ('config/router/firewall/bodySize', '1g'),
                         ('config/router/firewall/enabled', 'maybe')])
        rig.wait_for(lambda: w.router.log().count('setting ignored') == 3, 'they are read')
        self.assertEqual(self.attack(w), 400)

    def test_a_router_that_needs_none_has_none(self):
        w = self.world()
        with open('/proc/%d/maps' % w.router.p.pid) as f:
            self.assertNotIn('modsecurity', f.read())
        self.assertEqual(w.router.metric('deis_router_firewall_loaded'), 0)
        self.switch_on(w)
        with open('/proc/%d/maps' % w.router.p.pid) as f:
            self.assertIn('modsecurity', f.read())


if __name__ == '__main__':
    unittest.main()
