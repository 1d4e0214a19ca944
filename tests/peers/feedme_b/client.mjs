// The published client in dialect B; see ../feedme_client.mjs.

import feedmeClient from "feedme-client";
import transport from "feedme-transport-ws/client.js";

import { drive } from "../feedme_client.mjs";

await drive(feedmeClient, transport);
