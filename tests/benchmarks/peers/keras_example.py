"""The model, the training and the decoding loop of the Keras example `lstm_seq2seq`, in an interpreter of its own.

`python keras_example.py DATA.npz`; answers each line of JSON on standard input with one on standard output.
"""

import json
import os
import resource
import sys
import time

import keras
import numpy as np
from keras import layers

BOS, WIDTH = 1, 256


def build(source_size, target_size):
    """The model that is trained, and the two of the same layers that translate."""
    encoder_inputs = keras.Input((None, source_size))
    _, *states = layers.LSTM(WIDTH, return_state=True)(encoder_inputs)
    decoder_inputs = keras.Input((None, target_size))
    decoder = layers.LSTM(WIDTH, return_sequences=True, return_state=True)
    dense = layers.Dense(target_size, activation="softmax")
    outputs, *_ = decoder(decoder_inputs, initial_state=states)
    model = keras.Model([encoder_inputs, decoder_inputs], dense(outputs))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])

    given = [keras.Input((WIDTH,)), keras.Input((WIDTH,))]
    outputs, *after = decoder(decoder_inputs, initial_state=given)
    return (
        model,
        keras.Model(encoder_inputs, states),
        keras.Model([decoder_inputs, *given], [dense(outputs), *after]),
    )


def one_hot(ids, size, steps):
    """(pairs, steps, size), with nothing where there is padding."""
    table = np.eye(size, dtype="float32")
    table[0] = 0
    vectors = np.zeros((len(ids), steps, size), "float32")
    vectors[:, : ids.shape[1]] = table[ids]
    return vectors


class Example:
    """All that the example has in memory."""

    def __init__(self, path):
        data = np.load(path)
        source_size, target_size, longest_source, longest_target = (int(size) for size in data["sizes"])
        self.target_size, self.said = target_size, data["said"]
        self.model, self.encoder, self.decoder = build(source_size, target_size)
        self.source = one_hot(data["source"], source_size, longest_source)
        self.target = one_hot(data["target"], target_size, longest_target)
        self.asked = np.concatenate([self.target[:, 1:], np.zeros_like(self.target[:, :1])], axis=1)
        self.held_out = one_hot(data["held_out"], source_size, longest_source)

    def train(self, turn, batches):
        """Pairs of so many batches of 64."""
        some = slice(0, batches * 64)
        inputs, asked = [self.source[some], self.target[some]], self.asked[some]
        self.model.fit(inputs, asked, batch_size=64, epochs=1, verbose=0)
        return len(asked)

    def translate(self, turn, sentences):
        """Characters of so many sentences, each as long as its reference."""
        said = 0
        for row in range(turn * sentences, (turn + 1) * sentences):
            row %= len(self.held_out)
            states = self.encoder.predict(self.held_out[row : row + 1], verbose=0)
            character = np.zeros((1, 1, self.target_size), "float32")
            character[0, 0, BOS] = 1.0
            for _ in range(int(self.said[row])):
                probabilities, *states = self.decoder.predict([character, *states], verbose=0)
                character = np.zeros((1, 1, self.target_size), "float32")
                character[0, 0, int(np.argmax(probabilities[0, -1]))] = 1.0
                said += 1
        return said

    def memory(self, turn):
        """MiB at most so far."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    """Works on request."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed
    example = Example(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        work = getattr(example, request.pop("work"))
        start = time.perf_counter()
        amount = work(**request)
        print(json.dumps({"amount": amount, "seconds": time.perf_counter() - start}), file=answers, flush=True)


if __name__ == "__main__":
    main()
