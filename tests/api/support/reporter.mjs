// SPDX-License-Identifier: MIT
// "ok - T-01 ...", "not ok - ...", "skip - ... (reason)": a line for each test, what went wrong below it. When
// the whole suite runs, a line of the checklist without a test is a failure.
import { checklist } from './checklist.mjs';

function reason(error) {
  const cause = error.cause || error;
  const text = String(cause.stack || cause.message || cause);
  return text.split('\n').filter((line) => !line.includes('node:internal')).slice(0, 30).map((line) => `    ${line.slice(0, 1000)}\n`).join('');
}

export default async function* report(source) {
  const seen = new Set();
  for await (const { type, data } of source) {
    const isSuite = data.details && data.details.type === 'suite';
    if (type === 'test:pass' && !isSuite) {
      seen.add(data.name.slice(0, 4));
      yield data.skip !== undefined ? `skip - ${data.name} (${data.skip})\n` : `ok - ${data.name}\n`;
    } else if (type === 'test:fail') {
      const { error } = data.details;
      if (!isSuite || error.failureType !== 'subtestsFailed') {
        seen.add(data.name.slice(0, 4));
        yield `not ok - ${data.name}\n${reason(error)}`;
      }
    } else if (type === 'test:stderr' || type === 'test:stdout') {
      yield data.message;
    }
  }
  if (process.argv[1].endsWith('all.mjs')) {
    for (const id of checklist.filter((one) => !seen.has(one))) {
      yield `not ok - ${id} has no test\n`;
    }
    yield 'end of the API tests\n';
  }
}
