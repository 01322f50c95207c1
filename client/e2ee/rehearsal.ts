/**
 * A join by nobody into a group of nobody, for nobody to see: what a join needs is loaded and compiled before somebody waits for it.
 *
 * The first run of this code takes ten times as long as the second. Keys are drawn for it and wiped; nothing leaves this file.
 */
import { signAdmission } from '../../crypto/admission.ts';
import { utf8 } from '../../crypto/bytes.ts';
import { open, seal } from '../../crypto/envelope.ts';
import { Group, prepareJoin } from '../../crypto/group.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';

const MEETING = '0000-0000-0000-0000';

/** @param now whole milliseconds since 1970 @throws never for a reason of its own: what fails here fails in a real join */
export async function rehearse(now: number): Promise<void> {
  const [identity, host, admissions] = [await signKeyPair(), await signKeyPair(), await signKeyPair()];
  const groupId = random(32);
  const psk = { generation: 0, secret: random(32) };
  const keys = { psk, hostPublicKey: host.publicKey, admissionPublicKey: admissions.publicKey };
  const founder = await Group.create({ meetingId: MEETING, identity, groupId, ...keys });
  const pending = await prepareJoin({ meetingId: MEETING, identity });
  const { keyPackage } = pending;
  const signing = { groupId, generation: 0, now, by: 'link', privateKey: admissions.privateKey } as const;
  const admission = await signAdmission({ keyPackage, ...signing });
  const added = await founder.stage({ adds: [{ keyPackage, admission }], removes: [] }, now);
  await founder.confirm();
  const newcomer = await pending.join({ welcome: added.welcome!, groupId, ...keys });

  const renewal = await newcomer.stage({ adds: [], removes: [] }, now);
  await newcomer.confirm();
  await founder.process(renewal.commit);

  const { epoch, ownLeaf: leaf, ownLeafKey: senderLeafKey } = newcomer;
  const context = { key: await newcomer.exporter('rehearsal', new Uint8Array(), 32), groupId, epoch, senderLeafKey };
  const sign = (label: string, bytes: Uint8Array<ArrayBuffer>) => newcomer.sign(label, bytes);
  const sealed = await seal({ ...context, leaf, sign, to: '', kind: 'ack', sequence: 1, body: utf8('{}') });
  await open({ ...context, expectTo: '' }, sealed);
  founder.wipe();
  newcomer.wipe();
}
