// SPDX-License-Identifier: MIT
// The lines of the checklist that need a test here; the count of each letter.
const LINES = { T: 22, U: 25, M: 16, A: 20, C: 20, L: 7, G: 2, B: 14, R: 13, P: 24, S: 8, H: 6, D: 8, X: 7, K: 6, W: 8, N: 7, Y: 3, E: 21, V: 12, Q: 5, I: 31 };

export const checklist = Object.entries(LINES).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, i) => `${letter}-${String(i + 1).padStart(2, '0')}`));
