/**
 * Bits per weight over a whole model, the larger types of some tensors included. Source: the table of Llama 3.1 8B in
 * llama.cpp's tools/quantize/README.md; MXFP4 for the experts of gpt-oss.
 */
export const BITS_PER_WEIGHT: Readonly<Record<string, number>> = {
  F32: 32,
  F16: 16.0005,
  BF16: 16.0005,
  Q8_0: 8.5008,
  Q6_K: 6.5633,
  Q5_K_M: 5.7036,
  Q5_K_S: 5.5704,
  Q4_K_M: 4.8944,
  IQ4_NL: 4.6818,
  Q4_K_S: 4.6672,
  IQ4_XS: 4.4597,
  MXFP4_MOE: 4.3,
  Q3_K_L: 4.2979,
  Q3_K_M: 3.996,
  IQ3_M: 3.7628,
  IQ3_S: 3.6606,
  Q3_K_S: 3.6429,
  IQ3_XS: 3.4977,
  IQ3_XXS: 3.2548,
  Q2_K: 3.1593,
  Q2_K_S: 2.9697,
  IQ2_M: 2.9294,
  IQ2_S: 2.7403,
  IQ2_XS: 2.5882,
  IQ2_XXS: 2.3824,
  IQ1_M: 2.146,
  IQ1_S: 2.0042,
};

/** Those that are commonly offered, the best first: what is proposed where it is not known which there are. */
export const COMMON_QUANTISATIONS: readonly string[] = [
  "Q8_0",
  "Q6_K",
  "Q5_K_M",
  "Q4_K_M",
  "IQ4_XS",
  "Q3_K_M",
  "IQ3_XXS",
  "Q2_K",
  "IQ2_XXS",
];
