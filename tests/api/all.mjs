// SPDX-License-Identifier: MIT
// The checklist of the API and of the client against it, a test for each line.
import './transport.mjs';
import './users.mjs';
import './accounts.mjs';
import './permissions.mjs';
import './apps.mjs';
import './config.mjs';
import './releases.mjs';
import './processes.mjs';
import './failures.mjs';
import './domains.mjs';
import './routing.mjs';
import './keys.mjs';
import './hooks.mjs';
import './rights.mjs';
import './openapi.mjs';
import './bootstrap.mjs';
import './beyond.mjs';
import './hostile.mjs';
import './client.mjs';
import './original.mjs';
import './scenarios.mjs';
