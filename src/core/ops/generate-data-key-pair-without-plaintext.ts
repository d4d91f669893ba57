import { useOperation } from '../operation.ts'
import {
  type GenerateDataKeyPairInput,
  type GenerateDataKeyPairOutput,
  generateDataKeyPair,
} from './generate-data-key-pair.ts'

/** For those who may order pairs and see no private half: it is sealed only, under an action of its own. */
export const generateDataKeyPairWithoutPlaintext = useOperation<
  GenerateDataKeyPairInput,
  Omit<GenerateDataKeyPairOutput, 'privateKey'>
>({
  ...generateDataKeyPair,
  name: 'GenerateDataKeyPairWithoutPlaintext',
  action: 'generate-data-key-pair-without-plaintext',
  async run(env, target, input) {
    const { privateKey, ...output } = (await generateDataKeyPair.run(env, target, input)).output
    privateKey.fill(0)
    return { output }
  },
})
