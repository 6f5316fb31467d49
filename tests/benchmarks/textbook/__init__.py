"""The same models as tutorials write them: one step at a time, one sentence at a time, nothing taken out of a loop.

T target length, S source length, B batch, D width, E embedding, V vocabulary. Recurrent ones put time first.
"""
