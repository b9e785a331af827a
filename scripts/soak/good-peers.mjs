// Peers that keep to the standard, break off now and then, and know what they were promised.
import { setTimeout as pause } from 'node:timers/promises'
import { ApplicationEntity, AssociationRejectedError, SopClass, TransferSyntax } from '@dicomtap/framework'
import { tls as tlsPlugin } from '@dicomtap/plugin-tls'
import { INSTANCES, MATCHES } from './archive-plugin.mjs'
import { makeObject } from './objects.mjs'

const FIND = '1.2.840.10008.5.1.4.1.2.2.1'
const GET = '1.2.840.10008.5.1.4.1.2.2.3'
const VERIFICATION = '1.2.840.10008.1.1'
const { ExplicitVRLittleEndian: EXPLICIT, ImplicitVRLittleEndian: IMPLICIT } = TransferSyntax
const CONTEXTS = [
  { abstractSyntax: VERIFICATION },
  { abstractSyntax: FIND },
  { abstractSyntax: GET },
  { abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [EXPLICIT], roles: { scu: true, scp: true } },
  { abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [IMPLICIT], roles: { scu: true, scp: true } },
]
const PATIENCE_MS = { acseMs: 30_000, dimseMs: 60_000, networkMs: 60_000, connectionMs: 15_000 }

export class GoodPeers {
  #ae
  #port
  #random
  #tally
  #ledger
  #mayStore
  /** Resolves when it can associate. */
  #isReady
  #isSecured

  /**
   * @param mayStore called with the bytes to be stored; false: enough for now
   * @param tls paths of its certificate, key and CA; undefined: plain
   */
  constructor({ port, random, tally, ledger, mayStore, aeTitle = 'GOOD', tls }) {
    this.#port = port
    this.#random = random
    this.#tally = tally
    this.#ledger = ledger
    this.#mayStore = mayStore
    this.#ae = new ApplicationEntity({ aeTitle, logLevel: 'silent', timeouts: PATIENCE_MS })
    this.#isSecured = tls !== undefined
    this.#isReady = tls === undefined ? undefined : this.#ae.use(tlsPlugin({ client: { cert: tls.cert, key: tls.key, ca: tls.ca } }))
    this.#ae.bind('cStore', async ({ dataSet }) => {
      await dataSet.pipeTo({ write: () => undefined })
      return 0
    })
  }

  /** Associates as often as it takes: a server may be full for a moment. */
  async associate() {
    const asynchronousOperations = this.#random.one([undefined, { invoked: 8, performed: 8 }])
    await this.#isReady
    const options = { host: '127.0.0.1', port: this.#port, calledAeTitle: 'SOAK', contexts: CONTEXTS, ...(this.#isSecured ? { tls: true } : {}) }
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#ae.associate({ ...options, ...(asynchronousOperations === undefined ? {} : { asynchronousOperations }) })
      } catch (error) {
        if (!(error instanceof AssociationRejectedError) || error.result !== 2 || attempt === 20) throw error
        this.#tally.add('refused for a moment')
        await pause(100 * attempt)
      }
    }
  }

  /** Works until told to stop. */
  async work(signal) {
    const scenarios = [this.#echoes, this.#stores, this.#stores, this.#stores, this.#breaksOff, this.#finds, this.#cancels, this.#gets, this.#idles]
    while (!signal.aborted) {
      const scenario = this.#random.one(scenarios)
      const name = `${scenario.name.slice(1)}${this.#isSecured ? ' over TLS' : ''}`
      try {
        const association = await this.associate()
        await scenario.call(this, association, signal)
        this.#tally.add(name)
      } catch (error) {
        this.#tally.problem(name, error)
      }
      await pause(20 + this.#random.below(300))
    }
  }

  async close() {
    await this.#ae.close({ deadlineMs: 1_000 })
  }

  async #echoes(association) {
    for (let left = this.#random.below(5); left >= 0; left--) expectStatus(await association.cEcho())
    await association.release()
  }

  async #stores(association) {
    const sends = Array.from({ length: 1 + this.#random.below(5) }, () => this.store(association))
    await Promise.all(sends)
    await association.release()
  }

  /** One object; it counts as safe from when it is answered 0000. */
  async store(association, bytes) {
    const object = await makeObject(this.#random, bytes)
    if (!this.#mayStore(object.dataSet.length)) return expectStatus(await association.cEcho())
    this.#ledger.sending(object.sopInstanceUid, object.dataSet)
    expectStatus(await association.cStore({ ...object, bytes: () => [object.dataSet] }))
    this.#ledger.acknowledge(object.sopInstanceUid)
  }

  /** In the middle of an object. What was answered before counts. */
  async #breaksOff(association) {
    const object = await makeObject(this.#random, 200_000)
    this.#ledger.sending(object.sopInstanceUid, object.dataSet)
    const random = this.#random
    const end = random.one([() => association.abort(), () => void association.kill()])
    const endsAt = random.below(object.dataSet.length)
    async function* bytes() {
      for (let at = 0; at < object.dataSet.length; at += 20_000) {
        if (at >= endsAt) end()
        yield object.dataSet.subarray(at, at + 20_000)
        await pause(1)
      }
    }
    const sent = association.cStore({ ...object, bytes })
    try {
      const { status } = await sent
      if (status === 0) this.#ledger.acknowledge(object.sopInstanceUid)
    } catch (error) {
      if (error?.code?.startsWith('DICOMTAP_ERR_') !== true) throw error
    }
    await association.closed
  }

  async #finds(association) {
    let matches = 0
    for await (const response of association.cFind(QUERY, { model: FIND })) {
      if (response.category === 'pending') matches++
      else expectStatus(response)
    }
    if (matches !== MATCHES) throw new Error(`${matches} matches instead of ${MATCHES}`)
    await association.release()
  }

  async #cancels(association) {
    for await (const response of association.cFind(QUERY, { model: FIND })) if (response.category === 'pending') break
    expectStatus(await association.cEcho())
    await association.release()
  }

  async #gets(association) {
    let completed = 0
    for await (const response of association.cGet(QUERY, { model: GET })) {
      if (response.category !== 'pending') expectStatus(response)
      completed = response.numberOfCompletedSuboperations ?? completed
    }
    if (completed !== INSTANCES) throw new Error(`${completed} instances instead of ${INSTANCES}`)
    await association.release()
  }

  async #idles(association, signal) {
    for (let left = 3; left > 0 && !signal.aborted; left--) {
      await pause(1_000 + this.#random.below(2_000))
      expectStatus(await association.cEcho())
    }
    await association.release()
  }
}

const QUERY = { QueryRetrieveLevel: 'STUDY', PatientID: null, StudyInstanceUID: '1.2.3' }

function expectStatus({ status }) {
  if (status !== 0) throw new Error(`status ${status.toString(16).padStart(4, '0')}`)
}
