import { describeKills } from "../support/kill-matrix.ts";

describeKills("destroy");
