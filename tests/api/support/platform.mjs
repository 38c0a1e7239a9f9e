// SPDX-License-Identifier: MIT
// What surrounds a controller, as far as it can tell: an engine and one machine with its agent (in the
// documents of docs/STATE.md), and a logger. Tests choose how they fail.
import { createHash } from 'node:crypto';
import { BusFailure, BusServer, NOT_FOUND, UNAVAILABLE } from './bus.mjs';
import { until } from './process.mjs';

const MACHINE = 'machine-1';
const STATES = `/deis/states/${MACHINE}`;

const line = { 1: ['position', 'uint'], 2: ['time_ms', 'uint'], 3: ['app', 'string'], 4: ['process', 'string'], 5: ['text', 'bytes'] };
const entry = { 1: ['time_ms', 'uint'], 2: ['process', 'string'], 3: ['text', 'bytes'] };
const read = { 1: ['app', 'string'], 2: ['lines', 'uint'], 3: ['cursor', 'string'], 4: ['wait_ms', 'uint'], 5: ['process', 'string'] };
const run = {
  1: ['id', 'string'], 2: ['app', 'string'], 3: ['process', 'string'], 4: ['image', 'string'], 5: ['sealed_env', 'string'],
  6: ['entrypoint', 'string', true], 7: ['command', 'string', true], 8: ['memory_bytes', 'uint'],
};

export class Platform {
  static async start(etcd, key) {
    const platform = new Platform();
    platform.etcd = etcd;
    platform.units = new Map(); // app -> units that it has
    platform.formations = new Map(); // app -> the newest formation
    platform.modes = new Map(); // app -> how the engine treats it
    platform.lines = [];
    platform.runs = new Map();
    platform.logMode = {};
    platform.runResult = () => ({ code: 0, output: '' });
    platform.bus = await BusServer.listen(key, 'scheduler', platform.methods());
    await etcd.put('/deis/services/logger/one', JSON.stringify({ bus: platform.bus.address }));
    await platform.join();
    platform.queue = Promise.resolve();
    platform.unwatch = await etcd.watch('/deis/formations/', (name, value) => {
      platform.queue = platform.queue.then(() => platform.onFormation(name.split('/').pop(), value));
    });
    return platform;
  }

  async stop() {
    this.stopped = true;
    this.unwatch();
    await this.queue;
    this.bus.close();
  }

  // The one machine joins and leaves the platform.
  join() {
    const machine = { id: MACHINE, hostname: MACHINE, address: '127.0.0.1', bus: this.bus.address, metadata: {}, cpus: 1, memory_bytes: 0 };
    return this.etcd.change({ [`/deis/machines/${MACHINE}`]: JSON.stringify(machine), [`/deis/machines/${MACHINE}/presence`]: '{}' }, []);
  }

  leave() {
    return this.etcd.change({}, [`/deis/machines/${MACHINE}`, `/deis/machines/${MACHINE}/presence`]);
  }

  // How the engine treats the app from now on. judge({formation, made, gone}): undefined, or how the rollout
  // fails ({reason, unit, machine}, and left = units that do not go away). hurt(unit): the state of a new unit
  // in a rollout that ends well. hold: a promise to wait for before anything is done.
  mode(app, mode = {}) {
    this.modes.set(app, mode);
  }

  async onFormation(app, value) {
    const mode = this.modes.get(app) || {};
    await mode.hold;
    if (this.stopped) {
      return;
    }
    if (value === undefined) {
      this.formations.delete(app);
      await this.replace(app, []);
    } else {
      const formation = JSON.parse(value);
      this.formations.set(app, formation);
      await this.rollOut(app, formation, mode);
    }
  }

  async rollOut(app, formation, mode) {
    const before = this.units.get(app) || [];
    const wanted = [];
    for (const [type, process] of Object.entries(formation.processes)) {
      for (let num = 1; num <= process.count; num++) {
        const fresh = this.unitOf(formation, type, process, num);
        wanted.push(before.find((old) => old.unit === fresh.unit) || fresh);
      }
    }
    const made = wanted.filter((unit) => !before.includes(unit));
    const gone = before.filter((unit) => !wanted.includes(unit));
    const verdict = mode.judge ? mode.judge({ formation, made, gone }) : undefined;
    const rollout = {
      app, generation: formation.generation, operation: formation.operation, state: verdict ? 'failed' : 'done',
      ready: wanted.length, wanted: wanted.length, reason: '', unit: '', machine: '', ...verdict,
    };
    if (!verdict) {
      const hurt = mode.hurt || (() => 'up');
      const states = Object.fromEntries(made.map((unit) => [unit.unit, hurt(unit)]));
      await this.replace(app, wanted, states);
    } else if (verdict.left) {
      await this.replace(app, [...wanted, ...verdict.left], Object.fromEntries(verdict.left.map((unit) => [unit.unit, 'error'])));
      delete rollout.left;
    }
    await this.etcd.put(`/deis/rollouts/${app}`, JSON.stringify(rollout));
  }

  unitOf(formation, type, process, num) {
    const { restarts } = process;
    const counter = ((restarts || {}).all || 0) + ((restarts || {})[num] || 0);
    const made = { release: formation.release, image: formation.image, env: formation.env, type, num, counter,
      row: { ...process, count: 0, restarts: 0 }, health: formation.health };
    const hash = createHash('sha256').update(JSON.stringify(made)).digest('hex').slice(0, 8);
    return {
      unit: `${formation.app}_v${formation.release}.${type}.${num}-${hash}`, app: formation.app, release: formation.release,
      type, num, machine: MACHINE, desired: 'run', epoch: 1, image: formation.image, env: formation.env,
      entrypoint: process.entrypoint, command: process.command, memory_bytes: process.memory_bytes,
      cpu_shares: process.cpu_shares, routable: process.routable, grace_ms: formation.grace_ms,
      start_timeout_ms: formation.start_timeout_ms, health: formation.health,
    };
  }

  stateOf(unit, state) {
    return JSON.stringify({
      unit: unit.unit, app: unit.app, type: unit.type, num: unit.num, release: unit.release, machine: MACHINE,
      state, ready: state === 'up', address: '172.18.0.2:5000', container: '', exits: state === 'crashed' ? 1 : 0,
      exit: null, reason: '', since: Date.now(),
    });
  }

  // The app's units are these from now on; states = those that are to be written.
  async replace(app, units, states = {}) {
    const before = this.units.get(app) || [];
    const puts = {};
    for (const unit of units) {
      if (!before.includes(unit)) {
        puts[`/deis/units/${unit.unit}`] = JSON.stringify(unit);
      }
      if (states[unit.unit]) {
        puts[`${STATES}/${unit.unit}`] = this.stateOf(unit, states[unit.unit]);
      }
    }
    const gone = before.filter((unit) => !units.includes(unit));
    this.units.set(app, units);
    await this.etcd.change(puts, gone.flatMap((unit) => [`/deis/units/${unit.unit}`, `${STATES}/${unit.unit}`]));
  }

  methods() {
    return {
      'logger.append': { request: { 1: ['source', 'string'], 2: ['lines', line, true] }, answer: { 1: ['position', 'uint'] }, handle: (m) => this.append(m) },
      'logger.read': { request: read, answer: { 1: ['entries', entry, true], 2: ['cursor', 'string'] }, handle: (m) => this.read(m) },
      'logger.delete': { request: { 1: ['app', 'string'] }, answer: {}, handle: (m) => this.forget(m) },
      'agent.run': { request: run, answer: {}, handle: (m) => this.run(m) },
      'agent.run_output': { request: { 1: ['id', 'string'], 2: ['offset', 'uint'], 3: ['wait_ms', 'uint'] },
        answer: { 1: ['data', 'bytes'], 2: ['ended', 'bool'], 3: ['exit_code', 'sint'] }, handle: (m) => this.runOutput(m) },
      'agent.run_status': { request: { 1: ['id', 'string'] }, answer: { 1: ['ended', 'bool'], 2: ['exit_code', 'sint'] }, handle: (m) => this.runStatus(m) },
      'agent.unit_log': { request: { 1: ['unit', 'string'] }, answer: { 1: ['lines', 'bytes', true] }, handle: () => ({ lines: ['its last words'] }) },
    };
  }

  append({ lines }) {
    this.lines.push(...lines);
    return { position: Math.max(0, ...lines.map((l) => l.position)) };
  }

  // With a cursor it waits for something new.
  async read({ app, lines, process, cursor, wait_ms: wait }) {
    if (this.logMode.fail) {
      throw new BusFailure(this.logMode.fail, 'the logger fails as the test wants it');
    }
    const fits = (l) => l.app === app && (!process || l.process === process || l.process.startsWith(`${process}.`));
    const mine = () => this.lines.slice(Math.min(Number(cursor || 0), this.lines.length)).filter(fits);
    for (const end = Date.now() + wait; cursor && !this.stopped && mine().length === 0 && Date.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return { entries: mine().slice(-lines), cursor: String(this.lines.length) };
  }

  forget({ app }) {
    this.lines = this.lines.filter((l) => l.app !== app);
    return {};
  }

  run(request) {
    const result = this.runResult(request);
    if (result.refuse) {
      throw new BusFailure(UNAVAILABLE, result.refuse);
    }
    this.runs.set(request.id, { output: Buffer.from(result.output), code: result.code, held: result.hold });
    if (result.hold) { // a promise: it runs until then
      result.hold.then(() => {
        this.runs.get(request.id).held = undefined;
      });
    }
    this.lastRun = { ...request, ...result };
    return {};
  }

  // In pieces, as an agent that reads a pipe.
  async runOutput({ id, offset, wait_ms: wait }) {
    const run = this.runs.get(id);
    if (run.held) {
      await Promise.race([run.held, new Promise((resolve) => setTimeout(resolve, wait).unref())]);
    }
    if (run.held) {
      return { data: Buffer.alloc(0), ended: false, exit_code: 0 };
    }
    const data = run.output.subarray(offset, offset + 40000);
    return { data, ended: offset + data.length === run.output.length, exit_code: run.code };
  }

  runStatus({ id }) {
    const run = this.runs.get(id);
    if (!run) {
      throw new BusFailure(NOT_FOUND, 'no such command');
    }
    return { ended: !run.held, exit_code: run.held ? 0 : run.code };
  }

  // Waits until the app's log has a line that holds the text.
  logged(app, words) {
    return until(`log of ${app} with '${words}'`, () => this.lines.some((l) => l.app === app && l.text.toString().includes(words)));
  }
}
