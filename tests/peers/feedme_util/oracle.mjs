// What the published utilities of the written specification say about messages, deltas, hashes and feeds; see
// ../driver.mjs. Everything judged comes as JSON text, so that it is their parser that reads it.

import deltaWriter from "feedme-util/deltawriter.js";
import feedNameArgs from "feedme-util/feednameargs.js";
import md5Calculator from "feedme-util/md5calculator.js";
import validateClientMessage from "feedme-util/validators/client-message.js";
import validateFeedDeltas from "feedme-util/validators/feed-deltas.js";
import validateServerMessage from "feedme-util/validators/server-message.js";

import { obey } from "../driver.mjs";

const VALIDATORS = { client: validateClientMessage, server: validateServerMessage };

// "" where the message is valid. Some messages throw in there: that is an answer, too.
const violation = (validate, text) => {
  try {
    return validate(JSON.parse(text));
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

const digest = (data) => ({ canonical: md5Calculator._canonicalJson(data), md5: md5Calculator.calculate(data) });

const apply = ({ data: dataText, deltas: deltasText }) => {
  let data = JSON.parse(dataText);
  const deltas = JSON.parse(deltasText);
  const violation = validateFeedDeltas(deltas);
  if (violation) {
    return { violation };
  }
  for (const [index, delta] of deltas.entries()) {
    // A copy, since its value is put in by reference, and a later delta would change it.
    const { valid, feedData, reason } = deltaWriter.apply(data, structuredClone(delta));
    if (!valid) {
      return { index, reason };
    }
    data = feedData;
  }
  return digest(data);
};

await obey({
  validate: ({ sender, texts }) => texts.map((text) => violation(VALIDATORS[sender], text)),
  apply: ({ cases }) => cases.map(apply),
  digest: ({ texts }) => texts.map((text) => digest(JSON.parse(text))),
  serial: ({ feeds }) => feeds.map(({ name, args }) => feedNameArgs(name, JSON.parse(args)).serial()),
});
