import { describe, expect, it } from 'vitest';
import { changedInputs, reasonFor } from '../../../reconciler/plan/reason.ts';
import { desiredOf, problemOf } from './plans.ts';

const never = { entry: undefined, failed: undefined, drift: false };

describe('reasonFor', () => {
  it('says never-applied only when the ledger has nothing', () => {
    expect(reasonFor(desiredOf('a'), never)).toEqual({ host: 'a', role: 'web', reason: 'never-applied' });
  });

  it('names what failed when the same plan failed before', () => {
    const failed = { digest: 'a', problem: problemOf('retry', 'host off') };
    expect(reasonFor(desiredOf('a'), { ...never, failed })).toMatchObject({
      reason: 'failed-before',
      detail: 'host off',
    });
  });

  it('tells a plan that is in force again after a failed one', () => {
    const past = {
      entry: { digest: 'a', inputs: {} },
      failed: { digest: 'b', problem: problemOf('stalled') },
      drift: false,
    };
    expect(reasonFor(desiredOf('a'), past)).toMatchObject({ reason: 'failed-before' });
  });

  it('tells a drift check from a forced run', () => {
    const entry = { digest: 'a', inputs: {} };
    expect(reasonFor(desiredOf('a'), { ...never, entry }).reason).toBe('forced');
    expect(reasonFor(desiredOf('a'), { ...never, entry, drift: true }).reason).toBe('drift-check');
  });

  it.each([
    ['variables.port', 'variables-changed'],
    ['host.groups', 'variables-changed'],
    ['facts.os.family', 'facts-changed'],
    ['file:roles/web/files/x', 'policy-changed'],
    ['source', 'policy-changed'],
  ])('takes a changed %s for %s', (name, reason) => {
    const entry = { digest: 'old', inputs: { [name]: '1' } };
    expect(reasonFor(desiredOf('new', { [name]: '2' }), { ...never, entry })).toMatchObject({
      reason,
      detail: name,
    });
  });

  it('names the most telling input and counts the others', () => {
    const entry = { digest: 'old', inputs: { 'facts.os': '1', source: '1', gone: '1' } };
    const desired = desiredOf('new', { 'facts.os': '2', source: '2', 'file:a': '1' });
    expect(reasonFor(desired, { ...never, entry })).toMatchObject({ detail: 'file:a and 3 more' });
  });

  it('blames the policy when a plan changed although nothing it read did', () => {
    const entry = { digest: 'old', inputs: { source: '1' } };
    expect(reasonFor(desiredOf('new', { source: '1' }), { ...never, entry })).toMatchObject({
      reason: 'policy-changed',
      detail: 'source',
    });
  });
});

describe('changedInputs', () => {
  it('puts files first, then code, then variables, then facts', () => {
    const after = { 'facts.os': '1', 'variables.a': '1', source: '1', 'file:b': '1', 'file:a': '1' };
    expect(changedInputs({}, after)).toEqual(['file:a', 'file:b', 'source', 'variables.a', 'facts.os']);
    expect(changedInputs(after, after)).toEqual([]);
  });
});
