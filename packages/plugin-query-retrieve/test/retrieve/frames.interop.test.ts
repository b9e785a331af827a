import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { decodeDataSet, decodePart10Header, encodePart10Header, TransferSyntax } from '@dicomtap/framework'
import { extractFrames } from '../../dist/retrieve/frames/extract-frames.js'
import type { FrameRequest } from '../../dist/retrieve/frames/frame-request.js'
import { interop } from '../interop/support/interop.js'
import { run } from '../interop/support/programs.js'
import { makeImage, readEncapsulated, SOURCE_UID, writeImage } from './support/multi-frame.js'
import type { ImageOptions } from './support/multi-frame.js'

const { ExplicitVRLittleEndian: EXPLICIT, ImplicitVRLittleEndian: IMPLICIT } = TransferSyntax

async function succeeds(t: ExecutionContext, program: string, args: readonly string[]): Promise<string> {
  const { code, output } = await run(program, args)
  t.is(code, 0, `${program}: ${output}`)
  t.notRegex(output, /^[EWF]: /m, program)
  return output
}

/** An instance of some frames as a file. */
async function extract(path: string, target: string, request: FrameRequest): Promise<string> {
  const { sopClassUid, sopInstanceUid, transferSyntaxUid, bytes } = await extractFrames(path, request)
  const pieces: Uint8Array[] = []
  for await (const piece of bytes()) pieces.push(piece)
  await writeFile(target, [encodePart10Header({ sopClassUid, sopInstanceUid, transferSyntaxUid, implementationClassUid: '2.25.2' }), ...pieces])
  return sopInstanceUid
}

/** Pixel data of a file that is not compressed. */
async function pixelsOf(path: string): Promise<Buffer> {
  const file = await readFile(path)
  const { meta, dataSetOffset } = decodePart10Header(file)
  const dataset = await decodeDataSet(file.subarray(dataSetOffset), meta.transferSyntaxUid ?? '')
  const value = dataset['PixelData'] as Uint8Array | Uint8Array[]
  return Buffer.from(Array.isArray(value) ? (value[0] as Uint8Array) : value)
}

interface Way {
  readonly title: string
  readonly image: ImageOptions
  /** DCMTK's compressor and decompressor, with what they need. */
  readonly compress?: readonly string[]
  readonly decompress?: string
}

const gray = { rows: 24, columns: 31, frames: 7 }
const WAYS: readonly Way[] = [
  { title: 'explicit VR, 8 bits', image: gray },
  { title: 'implicit VR, 16 bits', image: { ...gray, bits: 16, transferSyntaxUid: IMPLICIT } },
  { title: 'RGB', image: { ...gray, samples: 3 } },
  { title: 'RLE, without offset table', image: gray, compress: ['dcmcrle', '-ot'], decompress: 'dcmdrle' },
  { title: 'RLE, with offset table', image: { ...gray, samples: 3 }, compress: ['dcmcrle', '+ot'], decompress: 'dcmdrle' },
  { title: 'JPEG lossless', image: { ...gray, bits: 16 }, compress: ['dcmcjpeg', '+e1', '-ot'], decompress: 'dcmdjpeg' },
  { title: 'JPEG lossless, several fragments of each frame', image: { ...gray, rows: 200, columns: 200 }, compress: ['dcmcjpeg', '+e1', '+ot', '+fs', '1'], decompress: 'dcmdjpeg' },
]

for (const { title, image, compress, decompress } of WAYS) {
  interop(['dcmtk'], `frames: what DCMTK compressed, and reads again: ${title}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'dicomtap-frames-interop-'))
    const file = (name: string): string => join(folder, `${name}.dcm`)
    try {
      const times = { FrameTime: 40, FrameIncrementPointer: 0x00181063 }
      const groups = { PerFrameFunctionalGroupsSequence: Array.from({ length: 7 }, (_, frame) => ({ FrameContentSequence: [{ FrameAcquisitionNumber: frame + 1 }] })) }
      const { dataSet, frames } = await makeImage({ ...image, attributes: { ...times, ...groups, BurnedInAnnotation: 'NO' } })
      await writeImage(file('native'), dataSet, image.transferSyntaxUid ?? EXPLICIT)
      let source = file('native')
      if (compress !== undefined) {
        const [program = '', ...options] = compress
        source = file('compressed')
        await succeeds(t, program, [...options, '+un', file('native'), source])
        const fragments = readEncapsulated(await readFile(source)).length - 1
        t.true(options.includes('+fs') ? fragments > 2 * frames.length : fragments === frames.length, String(fragments))
      }
      const requests: readonly (readonly [FrameRequest, readonly number[]])[] = [
        [{ sopInstanceUid: SOURCE_UID, list: 'SimpleFrameList', numbers: [2, 3, 7] }, [2, 3, 7]],
        [{ sopInstanceUid: SOURCE_UID, list: 'CalculatedFrameList', numbers: [1, 0xffffffff, 3] }, [1, 4, 7]],
        [{ sopInstanceUid: SOURCE_UID, list: 'TimeRange', numbers: [0.08, 0.16] }, [3, 4, 5]],
      ]
      for (const [request, numbers] of requests) {
        const uid = await extract(source, file('some'), request)
        const dump = await succeeds(t, 'dcmdump', ['+L', file('some')])
        t.true(dump.includes(`[${uid}]`))
        t.regex(dump, /\(0028,0008\) IS \[3\]/)
        t.deepEqual([...dump.matchAll(/\(0020,9156\) US (\d+)/g)].map((match) => Number(match[1])), numbers)
        if (decompress !== undefined) await succeeds(t, decompress, [file('some'), file('read')])
        // dcm2json takes no compressed pixel data.
        const readable = file(decompress === undefined ? 'some' : 'read')
        const json = JSON.parse(await succeeds(t, 'dcm2json', [readable])) as Record<string, { Value?: unknown[] }>
        const extraction = json['00081164']?.Value?.[0] as Record<string, { Value: unknown[] }> | undefined
        t.deepEqual(extraction?.['00081167']?.Value, [SOURCE_UID])
        const expected = Buffer.concat(numbers.map((number) => frames[number - 1] as Buffer))
        t.deepEqual((await pixelsOf(readable)).subarray(0, expected.length), expected, request.list)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
}
