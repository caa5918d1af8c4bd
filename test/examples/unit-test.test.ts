// The example is itself a file of tests, which run here.
import '../../examples/unit-test.js';
