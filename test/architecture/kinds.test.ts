/**
 * Holds the tables over resource kinds together: shapes, the agent's resources, the author's helpers, tests.
 * Invariant: the closed vocabulary in the protocol is the only list of kinds here.
 * Never checks what one kind does.
 */

import { describe, expect, it } from 'vitest';
import { type Kind, kinds } from '../../agent/protocol/kind.ts';
import { shapes } from '../../agent/protocol/shapes/index.ts';
import { resources } from '../../agent/resources/index.ts';
import * as authoring from '../../reconciler/policy/authoring/index.ts';
import { sourceFiles } from './source-files.ts';

/** `package` is a reserved word, so its helper has another name. */
const helperNames: Partial<Record<Kind, string>> = { package: 'pkg' };

describe('kinds', () => {
  it('each have a shape, and no shape is left over', () => {
    expect(Object.keys(shapes).sort()).toEqual([...kinds].sort());
  });

  it('each have a resource in the agent, and no resource is left over', () => {
    expect(Object.keys(resources).sort()).toEqual([...kinds].sort());
    const incomplete = kinds.filter(
      (kind) => typeof resources[kind].check !== 'function' || typeof resources[kind].apply !== 'function',
    );
    expect(incomplete).toEqual([]);
  });

  it('each have a helper for authors', () => {
    const helpers = authoring as Readonly<Record<string, unknown>>;
    const missing = kinds.filter((kind) => typeof helpers[helperNames[kind] ?? kind] !== 'function');
    expect(missing).toEqual([]);
  });

  it('each are tried in a test of the agent’s resources', () => {
    const tests = sourceFiles('test/agent/resources').map((file) => file.text);
    const untried = kinds.filter(
      (kind) => !tests.some((text) => text.includes(`${kind}Resource`) || text.includes(`'${kind}'`)),
    );
    expect(untried).toEqual([]);
  });
});
