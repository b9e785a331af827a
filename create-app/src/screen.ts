import type * as prompts from '@clack/prompts'

/** What the user sees besides the questions: clack's frame on a terminal, plain lines elsewhere. */
export interface Screen {
  title(text: string): void
  done(text: string): void
  progress(text: string): { done(text: string): void; fail(text: string): void }
  /** The last thing printed: the commands to run next. */
  end(commands: readonly string[]): void
}

export async function openScreen(isInteractive: boolean): Promise<Screen> {
  return isInteractive ? clackScreen(await import('@clack/prompts')) : PLAIN
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const nextText = (commands: readonly string[]): string => ['', 'Next:', ...commands.map((command) => `  ${command}`)].join('\n')

const PLAIN: Screen = {
  title: () => {},
  done: say,
  progress(text) {
    say(text)
    return { done: say, fail: say }
  },
  end: (commands) => say(nextText(commands)),
}

function clackScreen({ intro, log, outro, spinner }: typeof prompts): Screen {
  return {
    title: intro,
    done: (text) => log.success(text),
    progress(text) {
      const spinning = spinner()
      spinning.start(text)
      return { done: (end) => spinning.stop(end), fail: (end) => spinning.error(end) }
    },
    end(commands) {
      outro('Done.')
      say(nextText(commands).slice(1))
    },
  }
}
