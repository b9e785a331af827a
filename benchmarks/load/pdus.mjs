// PDUs as bytes, of generator and sink (PS3.8 9.3). Own code, on purpose: a generator built on the framework
// would measure the framework against itself.

const IMPLEMENTATION_CLASS_UID = '2.25.220116742913742958203155612345678901234'
const APPLICATION_CONTEXT = '1.2.840.10008.3.1.1.1'

export const PduType = { AssociateRq: 1, AssociateAc: 2, AssociateRj: 3, PData: 4, ReleaseRq: 5, ReleaseRp: 6, Abort: 7 }

/**
 * A-ASSOCIATE-RQ (PS3.8 9.3.2) with one presentation context per entry, ids 1, 3, 5 ...
 * @param scpRoles SOP Class UIDs for which the requestor wants to be SCP (PS3.7 D.3.3.4)
 * @param extended application information by SOP Class UID (PS3.7 D.3.3.5)
 */
export function associateRequest({ calledAeTitle, callingAeTitle, contexts, maximumLength = 131_072, scpRoles = [], extended = {} }) {
  const items = [
    item(0x10, text(APPLICATION_CONTEXT)),
    ...contexts.map(({ abstractSyntax, transferSyntax }, index) =>
      item(0x20, Buffer.concat([
        Buffer.from([index * 2 + 1, 0, 0, 0]),
        item(0x30, text(abstractSyntax)),
        item(0x40, text(transferSyntax)),
      ]))),
    item(0x50, Buffer.concat([
      item(0x51, uint32(maximumLength)),
      item(0x52, text(IMPLEMENTATION_CLASS_UID)),
      ...scpRoles.map((uid) => item(0x54, Buffer.concat([uidField(uid), Buffer.from([0, 1])]))),
      item(0x55, text('DICOMTAP_LOAD')),
      ...Object.entries(extended).map(([uid, information]) => item(0x56, Buffer.concat([uidField(uid), Buffer.from(information)]))),
    ])),
  ]
  const fixed = Buffer.alloc(68)
  fixed.writeUInt16BE(1, 0)
  fixed.write(calledAeTitle.padEnd(16), 4, 'latin1')
  fixed.write(callingAeTitle.padEnd(16), 20, 'latin1')
  return pdu(0x01, Buffer.concat([fixed, ...items]))
}

/** What an A-ASSOCIATE-AC says: results by context id (0 is accepted), and the acceptor's maximum length. */
export function readAssociateAccept(body) {
  const results = new Map()
  let maximumLength = 0
  for (const { type, value } of itemsOf(body.subarray(68))) {
    if (type === 0x21) results.set(value[0], value[2])
    if (type !== 0x50) continue
    for (const sub of itemsOf(value)) if (sub.type === 0x51) maximumLength = sub.value.readUInt32BE(0)
  }
  return { results, maximumLength }
}

/**
 * A-ASSOCIATE-AC (PS3.8 9.3.3) that accepts every presentation context of the request, each with the
 * transfer syntax wanted, or else with the first one proposed.
 * @param request body of the A-ASSOCIATE-RQ
 */
export function associateAccept(request, { transferSyntax, maximumLength }) {
  const contexts = itemsOf(request.subarray(68)).filter(({ type }) => type === 0x20)
  const results = contexts.map(({ value }) => {
    const proposed = itemsOf(value.subarray(4)).filter(({ type }) => type === 0x40).map((one) => nameOf(one.value))
    const accepted = proposed.includes(transferSyntax) ? transferSyntax : proposed[0]
    return item(0x21, Buffer.concat([Buffer.from([value[0], 0, 0, 0]), item(0x40, text(accepted))]))
  })
  const user = [item(0x51, uint32(maximumLength)), item(0x52, text(IMPLEMENTATION_CLASS_UID)), item(0x55, text('DICOMTAP_LOAD'))]
  // Titles and reserved bytes are sent back as they came.
  const fixed = Buffer.concat([Buffer.from([0, 1, 0, 0]), request.subarray(4, 68)])
  return pdu(0x02, Buffer.concat([fixed, item(0x10, text(APPLICATION_CONTEXT)), ...results, item(0x50, Buffer.concat(user))]))
}

export const RELEASE_REQUEST = pdu(0x05, Buffer.alloc(4))
export const RELEASE_RESPONSE = pdu(0x06, Buffer.alloc(4))

/** P-DATA-TF with one PDV (PS3.8 9.3.5, annex E.2). */
export function pData(presentationContextId, isCommand, isLast, data) {
  const header = Buffer.alloc(6)
  header.writeUInt32BE(data.length + 2, 0)
  header[4] = presentationContextId
  header[5] = (isCommand ? 1 : 0) | (isLast ? 2 : 0)
  return pdu(0x04, Buffer.concat([header, data]))
}

/**
 * A command set (PS3.7 6.3.1): implicit VR little endian with its group length. Numbers become US, text a
 * UID. The order of properties is not that of elements: '1000' looks like an index, and indices come first.
 */
export function commandSet(elements) {
  const sorted = Object.entries(elements)
    .map(([key, value]) => ({ element: Number.parseInt(key, 16), value }))
    .sort((a, b) => a.element - b.element)
  const parts = sorted.map(({ element, value }) => {
    const bytes = typeof value === 'number' ? uint16le(value) : evenText(value)
    const header = Buffer.alloc(8)
    header.writeUInt16LE(element, 2)
    header.writeUInt32LE(bytes.length, 4)
    return Buffer.concat([header, bytes])
  })
  const body = Buffer.concat(parts)
  const groupLength = Buffer.alloc(12)
  groupLength.writeUInt32LE(4, 4)
  groupLength.writeUInt32LE(body.length, 8)
  return Buffer.concat([groupLength, body])
}

/** The Status (0000,0900) of a response's command set; undefined when it has none. */
export function statusOf(command) {
  return valueOf(command, 0x0900)?.readUInt16LE(0)
}

/** A C-ECHO or C-STORE request's command set. */
export function readRequest(command) {
  return {
    sopClassUid: nameOf(valueOf(command, 0x0002)),
    sopInstanceUid: nameOf(valueOf(command, 0x1000)),
    commandField: valueOf(command, 0x0100).readUInt16LE(0),
    messageId: valueOf(command, 0x0110).readUInt16LE(0),
    hasDataSet: valueOf(command, 0x0800).readUInt16LE(0) !== 0x0101,
  }
}

/** The value of an element of group 0000. */
function valueOf(command, element) {
  for (let at = 0; at + 8 <= command.length; ) {
    const end = at + 8 + command.readUInt32LE(at + 4)
    if (command.readUInt32LE(at) === element * 0x1_0000) return command.subarray(at + 8, end)
    at = end
  }
  return undefined
}

/** A UID without its padding. */
function nameOf(bytes) {
  return bytes?.toString('latin1').replace(/[\0 ]+$/, '')
}

function pdu(type, body) {
  const header = Buffer.alloc(6)
  header[0] = type
  header.writeUInt32BE(body.length, 2)
  return Buffer.concat([header, body])
}

function item(type, value) {
  const header = Buffer.from([type, 0, value.length >> 8, value.length & 0xff])
  return Buffer.concat([header, value])
}

/** A UID behind its length. */
function uidField(uid) {
  return Buffer.concat([Buffer.from([0, uid.length]), text(uid)])
}

function itemsOf(bytes) {
  const items = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt16BE(at + 2)
    items.push({ type: bytes[at], value: bytes.subarray(at + 4, end) })
    at = end
  }
  return items
}

function text(value) {
  return Buffer.from(value, 'latin1')
}

export function evenText(value, padding = '\0') {
  return text(value.length % 2 === 0 ? value : value + padding)
}

export function uint16le(value) {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function uint32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
