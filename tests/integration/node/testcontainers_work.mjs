// testcontainers starts a container, waits for its log, runs a command in it, and takes it away. Prints one line of JSON.
import { GenericContainer, Wait } from "testcontainers";

const started = await new GenericContainer("busybox:latest")
  .withCommand(["sh", "-c", "cat /given; echo ready; exec sleep 1000"])
  .withCopyContentToContainer([{ content: "given to it\n", target: "/given" }])
  .withEnvironment({ COLOUR: "blue" })
  .withLabels({ purpose: "test" })
  .withWaitStrategy(Wait.forLogMessage("ready"))
  .start();
const { output, exitCode } = await started.exec(["sh", "-c", "echo $COLOUR; cat /given; exit 3"]);
const logs = await started.logs();
const lines = [];
logs.on("data", (line) => lines.push(line.toString().trim()));
await new Promise((resolve) => setTimeout(resolve, 300));
logs.destroy();
await started.stop();
console.log(JSON.stringify({ output, exitCode, lines: lines.join("\n") }));
