import t from 'tap'
import { MemoryStore } from '../../src/store/memory.ts'
import { storeSuite } from '../conformance/store.ts'

storeSuite(t, async () => new MemoryStore())
