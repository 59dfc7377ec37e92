import { describe, expect, it } from 'vitest';
import { inlineLimit } from '../../../agent/protocol/blob.ts';
import { applyDelta } from '../../../agent/protocol/plan.ts';
import {
  inlineContents,
  inlineTotalLimit,
  planOnWire,
} from '../../../reconciler/connection/plan-transport.ts';
import { filePlan } from '../../helpers/lines.ts';

const content = (digit: string, size = 10) => ({ sha256: digit.repeat(64), size });
const base = filePlan('web', [content('a'), content('b'), content('c')]);
const next = filePlan('web', [content('a'), content('d'), content('c')]);

describe('how a plan travels', () => {
  it('is not sent when the agent holds it', () => {
    expect(planOnWire({ digest: 'n', plan: next }, { digest: 'n' })).toEqual({ held: true });
    expect(inlineContents({ digest: 'n', plan: next }, { held: true })).toEqual([]);
  });

  it('is a delta against what the agent holds, known from this session or from the ledger', () => {
    for (const held of [{ digest: 'b', plan: base }, { digest: 'b' }]) {
      const form = planOnWire({ digest: 'n', plan: next, applied: { digest: 'b', plan: base } }, held);
      expect('delta' in form && applyDelta(base, form.delta)).toEqual(next);
    }
  });

  it('is whole when the base is not known, when names differ, or when a delta is no shorter', () => {
    expect(planOnWire({ digest: 'n', plan: next }, { digest: 'b' })).toEqual({ whole: next });
    expect(planOnWire({ digest: 'n', plan: next }, undefined)).toEqual({ whole: next });
    const moved = { ...base, host: 'other' };
    expect(planOnWire({ digest: 'n', plan: next }, { digest: 'b', plan: moved })).toEqual({ whole: next });
    const small = filePlan('web', [content('e')]);
    const form = planOnWire({ digest: 'n', plan: small }, { digest: 'b'.repeat(400), plan: base });
    expect(form).toEqual({ whole: small });
  });

  it('takes small contents along that the host does not have yet, up to a total', () => {
    const call = { digest: 'n', plan: next, applied: { digest: 'b', plan: base } };
    expect(inlineContents(call, { whole: next })).toEqual(['d'.repeat(64)]);
    const large = filePlan('web', [content('a', inlineLimit + 1), content('b', inlineLimit)]);
    expect(inlineContents({ digest: 'n', plan: large }, { whole: large })).toEqual(['b'.repeat(64)]);
    const many = filePlan(
      'web',
      Array.from({ length: 100 }, (_, index) => ({
        sha256: index.toString(16).padStart(64, '0'),
        size: inlineLimit,
      })),
    );
    expect(inlineContents({ digest: 'n', plan: many }, { whole: many })).toHaveLength(
      inlineTotalLimit / inlineLimit,
    );
  });
});
