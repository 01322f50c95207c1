/** PROTOCOL.md and the schemas say the same: each message has an example, each example parses, and nothing in it is ignored. */
import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { AccessDocument, HostCommand, HostState, labels, MeetingRecord } from '../../signal/protocol/documents.ts';
import { errors } from '../../signal/protocol/errors.ts';
import { ServerEvent } from '../../signal/protocol/events.ts';
import { CreatedMeeting, CreateMeeting, Health, Problem } from '../../signal/protocol/http.ts';
import { ChatPush } from '../../signal/protocol/chat.ts';
import { DirectAnswer, DirectRequest } from '../../signal/protocol/chatDirect.ts';
import { catalogue } from '../../signal/protocol/catalogue.ts';
import type { RequestName } from '../../signal/protocol/requests.ts';
import { WireAnswer, WireRequest } from '../../signal/protocol/wire.ts';
import { examples, protocolPage } from './golden.ts';

const Push = z.object({ chat: ChatPush });

const named: Record<string, z.ZodMiniType> = {
  MeetingRecord,
  AccessDocument,
  HostState,
  HostCommand,
  CreateMeeting,
  CreatedMeeting,
  Problem,
  Health,
};

function schemaOf(kind: string, name: string): z.ZodMiniType | undefined {
  switch (kind) {
    case 'request':
      return WireRequest;
    case 'answer':
      return WireAnswer;
    case 'params':
      return catalogue[name as RequestName]?.params;
    case 'result':
      return catalogue[name as RequestName]?.result;
    case 'event':
      return ServerEvent;
    case 'push':
      return Push;
    case 'direct':
      return DirectRequest;
    case 'directAnswer':
      return DirectAnswer;
    default:
      return named[name];
  }
}

describe('each example of PROTOCOL.md', () => {
  test.each(examples().map((example, index) => [index, example.kind, example.name, example.value] as const))(
    '%i, %s %s, is read whole by its schema',
    (_, kind, name, value) => {
      const parsed = schemaOf(kind, name)!.parse(value);
      // Schemas drop what they do not know: an example with such a field would teach something wrong.
      expect(parsed).toEqual(value);
      if (kind === 'event') expect(value).toHaveProperty('type', name);
      if (kind === 'push') expect(value).toHaveProperty('chat.type', name);
    },
  );
});

describe('PROTOCOL.md', () => {
  const shown = new Set(examples().map(({ kind, name }) => `${kind} ${name}`));

  test('shows every request with its answer, every event, every push of the chat, every document', () => {
    const events = ServerEvent.def.options.map((option) => `event ${option.shape.type.def.values[0]}`);
    const pushes = ChatPush.def.options.map((option) => `push ${option.shape.type.def.values[0]}`);
    const asked = Object.keys(catalogue).flatMap((name) => [`params ${name}`, `result ${name}`]);
    const all = [
      ...asked,
      ...events,
      ...pushes,
      ...DirectRequest.def.options.map((option) => `direct ${option.shape.type.def.values[0]}`),
      ...DirectAnswer.def.options.map((option) => `directAnswer ${option.shape.type.def.values[0]}`),
      ...['MeetingRecord', 'AccessDocument', 'HostState', 'HostCommand'].map((name) => `document ${name}`),
    ];
    expect(all.filter((one) => !shown.has(one))).toEqual([]);
  });

  test('names every label that is signed', () => {
    expect(Object.values(labels).filter((label) => !protocolPage.includes(`\`${label}\``))).toEqual([]);
  });

  test('names every code with which the server closes', () => {
    const codes = Object.values(errors).flatMap((rule) => ('close' in rule && rule.close >= 4000 ? [rule.close] : []));
    expect(codes.filter((code) => !protocolPage.includes(String(code)))).toEqual([]);
  });
});

test.each(Object.entries(catalogue))(
  '%s refuses what is no object, and each of its fields with another type',
  (name, { params }) => {
    for (const value of [null, undefined, 0, 'text', [], true]) expect(params.safeParse(value).success).toBe(false);
    const example = examples().find((one) => one.kind === 'params' && one.name === name)!.value as Record<
      string,
      unknown
    >;
    for (const [field, right] of Object.entries(example)) {
      const wrongs: unknown[] = [{ a: 1 }, -1, 1.5, '', ' ', 'not/base64url+', 'A'.repeat(3_000_000), true];
      // Any whole number is a version, if not ours; both truths are transient or not.
      const mayBe = (wrong: unknown) =>
        typeof right === 'boolean' && wrong === true ? true : field === 'protocol' && wrong === -1;
      for (const wrong of wrongs.filter((one) => !mayBe(one))) {
        const { success } = params.safeParse({ ...example, [field]: wrong });
        expect(success, `${field}: ${JSON.stringify(wrong).slice(0, 40)}`).toBe(false);
      }
    }
  },
);
