#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// What API requests cost: requests for each CPU-second of the controller (from /proc/<pid>/stat), latencies, calls of
// etcd and the CPU that they cost it, its memory (PSS, in which libraries count less when other programs have them too;
// RSS, in which they don't; and what is its own); and whether a second controller sees at once what the first one has acknowledged.
//
//   DEIS_BIN=<release build>/bin tests/bench/api.mjs [apps [seconds]]        (1000 apps of 10 releases, 3 s a row)
import { readFileSync } from 'node:fs';
import { World } from '../api/support/world.mjs';
import { Client } from '../api/support/http.mjs';

const APPS = Number(process.argv[2] || 1000);
const SECONDS = Number(process.argv[3] || 3);
const RELEASES = 10;
const UNITS = 3;
const CONNECTIONS = 16;
const TICKS = 100; // USER_HZ

const cpu = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
};
const memory = (pid) => {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return ['Pss', 'Rss', 'Anonymous'].map((field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)[1]) / 1024);
};
const name = (i) => `app-${i}`;
const pick = () => name(Math.floor(Math.random() * APPS));
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

async function parallel(width, count, work) {
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < count) {
      await work(next++);
    }
  }));
}

async function fill(w) {
  await parallel(CONNECTIONS, APPS, async (i) => {
    await w.app('ivo', name(i));
    for (let n = 1; n < RELEASES; n++) {
      (await w.post(`apps/${name(i)}/config`, 'ivo', { values: { NUMBER: n, PLACE: 'somewhere', WORDS: 'a b c' } })).is(201);
    }
  });
  const units = {};
  for (let i = 0; i < APPS * UNITS; i++) {
    const unit = `${name(i % APPS)}_v${RELEASES}.web.${Math.floor(i / APPS) + 1}-1a2b3c4d`;
    units[`/deis/units/${unit}`] = JSON.stringify({
      unit, app: name(i % APPS), release: RELEASES, type: 'web', num: Math.floor(i / APPS) + 1, machine: 'm1', desired: 'run', epoch: 1,
      image: 'acme/shop', env: '', entrypoint: null, command: null, memory_bytes: 0, cpu_shares: 0, routable: true, grace_ms: 1,
      start_timeout_ms: 1, health: null,
    });
  }
  await w.etcd.change(units, []);
}

async function etcdCalls(w) {
  const text = await (await fetch(`${w.etcd.url}/metrics`)).text();
  return text.split('\n').filter((l) => /^grpc_server_started_total.*grpc_type="unary"/.test(l))
    .reduce((n, l) => n + Number(l.split(' ').pop()), 0);
}

// json: the body to POST; else it is a GET
async function row(w, title, path, connections, json) {
  const client = new Client(w.port);
  const token = w.tokens.ivo;
  const pid = w.controller.child.pid;
  const get = async () => (json ? (await client.send('POST', `/v1/${path()}`, { token, json: json() })).is(201)
    : (await client.send('GET', `/v1/${path()}`, { token })).is(200));
  for (let i = 0; i < 200; i++) {
    await get();
  }
  const store = w.etcd.program.child.pid;
  const [calls, spent, stored, end] = [await etcdCalls(w), cpu(pid), cpu(store), performance.now() + SECONDS * 1000];
  const times = [];
  await Promise.all(Array.from({ length: connections }, async () => {
    while (performance.now() < end) {
      const start = performance.now();
      await get();
      times.push(performance.now() - start);
    }
  }));
  const [used, storing] = [cpu(pid) - spent, cpu(store) - stored];
  const each = (await etcdCalls(w) - calls) / times.length;
  times.sort((a, b) => a - b);
  client.close();
  console.log([title.padEnd(30), (times.length / used).toFixed(0).padStart(9), (times.length / SECONDS).toFixed(0).padStart(9),
    at(times, 0.5).toFixed(2).padStart(8), at(times, 0.99).toFixed(2).padStart(8), each.toFixed(1).padStart(6),
    (storing * 1000 / times.length).toFixed(2).padStart(6), ...memory(pid).map((mb) => mb.toFixed(1).padStart(6))].join(' '));
}

// What one controller has acknowledged, the next request to the other one must see.
async function linearizable(w) {
  const first = w.controller;
  const [port, openapi, client] = [w.port, w.openapi, w.client];
  await w.startController('two');
  let stale = 0;
  for (let i = 0; i < 200; i++) {
    const wrote = (await client.send('POST', `/v1/apps/${name(0)}/config`, { token: w.tokens.ivo, json: { values: { SEEN: String(i) } } })).is(201);
    const read = (await w.client.send('GET', `/v1/apps/${name(0)}/config`, { token: w.tokens.ivo })).is(200);
    stale += read.json.values.SEEN !== String(i) || read.json.uuid !== wrote.json.uuid;
  }
  console.log(`\nreads of another controller right after a change: 200, stale: ${stale}`);
  w.client.close();
  await w.controller.stop();
  Object.assign(w, { controller: first, port, openapi, client });
  return stale === 0;
}

const w = await World.start({ users: ['admin', 'ivo'] });
let good = false;
try {
  await fill(w);
  console.log(`${APPS} apps of ${RELEASES} releases, ${APPS * UNITS} units\n`);
  console.log('request                        per CPU-s   per s    p50 ms   p99 ms   etcd     ms    PSS    RSS    own MB');
  await row(w, 'GET /v1/apps/<id>', () => `apps/${pick()}`, CONNECTIONS);
  await row(w, 'GET .../config', () => `apps/${pick()}/config`, CONNECTIONS);
  await row(w, 'GET .../releases', () => `apps/${pick()}/releases`, CONNECTIONS);
  await row(w, 'GET .../containers', () => `apps/${pick()}/containers`, CONNECTIONS);
  await row(w, 'GET /v1/apps (100), one by one', () => 'apps?page_size=100', 1);
  let n = 0;
  await row(w, 'POST .../config, one by one', () => `apps/${name(n++ % APPS)}/config`, 1, () => ({ values: { NUMBER: n } }));
  good = await linearizable(w);
} finally {
  await w.stop();
}
process.exit(good ? 0 : 1);
